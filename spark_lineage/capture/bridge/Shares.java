package org.sparklineage.bridge;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Of which share of the rows of a dataset a sample is asked for: the options `rows.sample`, `rows.datasets` and `rows.key`, as rows/due.py reads them. */
final class Shares {
    private static final BigInteger LOWEST = BigInteger.ONE.shiftLeft(63).negate();
    private static final BigInteger HIGHEST = BigInteger.valueOf(Long.MAX_VALUE);

    private final double share;
    private final List patterns = new ArrayList();
    private final List shares = new ArrayList();
    final List key;

    /** Throws IllegalArgumentException for a share that is none. */
    Shares(Map options) {
        this.share = share(String.valueOf(options.get("rows_sample")), "rows.sample");
        this.key = parts(String.valueOf(options.get("rows_key")));
        List datasets = parts(String.valueOf(options.get("rows_datasets")));
        for (int i = 0; i < datasets.size(); i++) {
            String text = (String) datasets.get(i);
            int at = text.lastIndexOf('=');
            if (at <= 0) {
                throw new IllegalArgumentException("rows.datasets has '" + text + "'; write a glob, = and a share from 0 to 1");
            }
            patterns.add(java.util.regex.Pattern.compile(Globs.pattern(text.substring(0, at).trim())));
            shares.add(Double.valueOf(share(text.substring(at + 1), "rows.datasets")));
        }
    }

    private static double share(String text, String option) {
        try {
            double value = Double.parseDouble(text.trim());
            if (value >= 0.0 && value <= 1.0) {
                return value;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new IllegalArgumentException(option + " has '" + text + "'; write a share from 0 to 1");
    }

    private static List parts(String text) {
        ArrayList result = new ArrayList();
        String[] all = text.split(",");
        for (int i = 0; i < all.length; i++) {
            if (all[i].trim().length() > 0) {
                result.add(all[i].trim());
            }
        }
        return result;
    }

    /** The share that the dataset has which is spelt so: by the first glob that fits one of the spellings. */
    double of(List spellings) {
        for (int i = 0; i < patterns.size(); i++) {
            for (int j = 0; j < spellings.size(); j++) {
                if (((java.util.regex.Pattern) patterns.get(i)).matcher((String) spellings.get(j)).matches()) {
                    return ((Double) shares.get(i)).doubleValue();
                }
            }
        }
        return share;
    }

    /** A row is chosen whose key's hash is below this: as `bound_of` in sample_marks.py. */
    static long bound(double share) {
        BigInteger below = new BigDecimal(share).multiply(new BigDecimal(BigInteger.ONE.shiftLeft(64))).toBigInteger();
        return LOWEST.add(below).min(HIGHEST).longValue();
    }
}
