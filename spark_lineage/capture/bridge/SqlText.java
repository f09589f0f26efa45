package org.sparklineage.bridge;

import org.antlr.v4.runtime.CharStreams;
import org.antlr.v4.runtime.Token;
import org.apache.spark.sql.catalyst.parser.SqlBaseLexer;
import org.apache.spark.sql.catalyst.parser.UpperCaseCharStream;

/** SQL text without its literals, found by Spark's own lexer: what it takes for a literal is one, and nothing else is. */
final class SqlText {
    private SqlText() {
    }

    /** The text with each literal replaced and comments taken out; null where the lexer does not understand it. */
    static String redact(String text, Literals literals) {
        try {
            SqlBaseLexer lexer = new SqlBaseLexer(new UpperCaseCharStream(CharStreams.fromString(text)));
            lexer.removeErrorListeners();
            StringBuilder out = new StringBuilder(text.length());
            int copied = 0;
            for (Token token = lexer.nextToken(); token.getType() != Token.EOF; token = lexer.nextToken()) {
                String kind = lexer.getVocabulary().getSymbolicName(token.getType());
                if (kind == null) {
                    continue;
                }
                if (kind.equals("UNRECOGNIZED")) {
                    return null;
                }
                String instead = replacement(kind, token.getText(), literals);
                if (instead != null) {
                    int start = text.offsetByCodePoints(0, token.getStartIndex());
                    out.append(text.substring(copied, start)).append(instead);
                    copied = text.offsetByCodePoints(start, token.getStopIndex() - token.getStartIndex() + 1);
                }
            }
            return out.append(text.substring(copied)).toString();
        } catch (RuntimeException e) {
            return null;
        } catch (LinkageError e) {
            return null;
        }
    }

    /** Null for a token that stays. */
    private static String replacement(String kind, String text, Literals literals) {
        if (kind.endsWith("_COMMENT")) {
            return " ";
        }
        if (kind.equals("STRING_LITERAL") || kind.indexOf("QUOTED_STRING") >= 0 && !kind.startsWith("BEGIN") && !kind.startsWith("END")) {
            return literals.quoted(text);
        }
        boolean number = kind.endsWith("_LITERAL") || kind.equals("INTEGER_VALUE") || kind.equals("DECIMAL_VALUE") || kind.equals("EXPONENT_VALUE");
        return number ? literals.quoted(text) : null;
    }
}
