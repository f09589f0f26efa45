package org.sparklineage.overlay;

import java.lang.instrument.ClassFileTransformer;
import java.lang.instrument.Instrumentation;
import java.security.ProtectionDomain;
import org.apache.xbean.asm9.ClassReader;
import org.apache.xbean.asm9.ClassVisitor;
import org.apache.xbean.asm9.ClassWriter;
import org.apache.xbean.asm9.MethodVisitor;
import org.apache.xbean.asm9.Opcodes;

/**
 * Asks `Laid` wherever Hadoop chooses the class of a file system, whatever a configuration names: an agent, which is there before any class of the job
 * is. It needs the ASM that Spark carries; a JVM without Spark goes without.
 */
public class Weaving implements ClassFileTransformer {
    static final String LAID = "org/sparklineage/overlay/Laid";

    public static void premain(String arguments, Instrumentation instrumentation) {
        instrumentation.addTransformer(new Weaving());
    }

    public byte[] transform(ClassLoader loader, String name, Class redefined, ProtectionDomain domain, byte[] bytes) {
        if (!"org/apache/hadoop/fs/FileSystem".equals(name) && !"org/apache/hadoop/fs/AbstractFileSystem".equals(name)) {
            return null;
        }
        return Woven.of(bytes);
    }

    /** Apart, as it is only there that ASM must be found: this class is verified in every JVM that is told of the agent. */
    static final class Woven {
        private Woven() {
        }

        static byte[] of(byte[] bytes) {
            ClassReader reader = new ClassReader(bytes);
            ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
            reader.accept(new Choosing(writer), 0);
            return writer.toByteArray();
        }
    }

    /** The methods `FileSystem.getFileSystemClass` and `AbstractFileSystem.newInstance`. */
    static final class Choosing extends ClassVisitor {
        Choosing(ClassVisitor next) {
            super(Opcodes.ASM9, next);
        }

        public MethodVisitor visitMethod(int access, String name, String descriptor, String signature, String[] exceptions) {
            MethodVisitor next = super.visitMethod(access, name, descriptor, signature, exceptions);
            if (name.equals("getFileSystemClass") && descriptor.startsWith("(Ljava/lang/String;Lorg/apache/hadoop/conf/Configuration;)")) {
                return new Chosen(next);
            }
            if (name.equals("newInstance") && descriptor.startsWith("(Ljava/lang/Class;Ljava/net/URI;Lorg/apache/hadoop/conf/Configuration;)")) {
                return new Given(next);
            }
            return next;
        }
    }

    /** The class that is returned for a scheme. */
    static final class Chosen extends MethodVisitor {
        Chosen(MethodVisitor next) {
            super(Opcodes.ASM9, next);
        }

        public void visitInsn(int code) {
            if (code == Opcodes.ARETURN) {
                super.visitVarInsn(Opcodes.ALOAD, 0);
                super.visitMethodInsn(Opcodes.INVOKESTATIC, LAID, "fileSystem", "(Ljava/lang/Class;Ljava/lang/String;)Ljava/lang/Class;", false);
            }
            super.visitInsn(code);
        }
    }

    /** The class of which an `AbstractFileSystem` is made. */
    static final class Given extends MethodVisitor {
        Given(MethodVisitor next) {
            super(Opcodes.ASM9, next);
        }

        public void visitCode() {
            super.visitCode();
            super.visitVarInsn(Opcodes.ALOAD, 0);
            super.visitVarInsn(Opcodes.ALOAD, 1);
            super.visitMethodInsn(Opcodes.INVOKESTATIC, LAID, "context", "(Ljava/lang/Class;Ljava/net/URI;)Ljava/lang/Class;", false);
            super.visitVarInsn(Opcodes.ASTORE, 0);
        }
    }
}
