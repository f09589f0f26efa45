from . import main

main(prog_name="spark-lineage")
