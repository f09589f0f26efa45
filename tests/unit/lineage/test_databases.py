from __future__ import annotations

import pytest

from spark_lineage.lineage.databases import connector_key, jdbc_key, jdbc_keys
from spark_lineage.lineage.queries import tables_of


@pytest.mark.parametrize(
    ("url", "table", "key"),
    [
        ("jdbc:postgresql://db/shop", "orders", ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:postgresql://db/shop", "public.orders", ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:postgresql://db/shop", '"public"."orders"', ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:postgresql://DB/shop", "Public.Orders", ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:postgresql://db/shop", '"Orders"', ("postgres://db:5432", "shop.public.Orders")),
        ("jdbc:postgresql://db/shop", "shop.public.orders", ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:postgresql://db/shop?currentSchema=crm", "orders", ("postgres://db:5432", "shop.crm.orders")),
        ("jdbc:postgresql://db:6000/shop?user=me&password=x", "public.orders", ("postgres://db:6000", "shop.public.orders")),
        ("jdbc:postgresql://me:secret@db/shop", "public.orders", ("postgres://db:5432", "shop.public.orders")),
        ("jdbc:redshift://c.eu-west-1.redshift.amazonaws.com:5439/dev", "t", ("redshift://c.eu-west-1.redshift.amazonaws.com:5439", "dev.public.t")),
        ("jdbc:mysql://me:secret@db/shop", "orders", ("mysql://db:3306", "shop.orders")),
        ("jdbc:mysql://db/shop", "`shop`.`orders`", ("mysql://db:3306", "shop.orders")),
        ("jdbc:mariadb://db/shop", "orders", ("mysql://db:3306", "shop.orders")),
        ("jdbc:sqlserver://db;databaseName=shop;user=sa;password=x", "[dbo].[orders]", ("mssql://db:1433", "shop.dbo.orders")),
        ("jdbc:sqlserver://db:1433;database=shop", "orders", ("mssql://db:1433", "shop.dbo.orders")),
        ("jdbc:oracle:thin:@//db:1521/service", "crm.orders", ("oracle://db:1521", "SERVICE.CRM.ORDERS")),
        ("jdbc:oracle:thin:scott/tiger@db:1521:sid", "crm.orders", ("oracle://db:1521", "SID.CRM.ORDERS")),
        ("jdbc:oracle:thin:@db/service", "CRM.Orders", ("oracle://db:1521", "SERVICE.CRM.ORDERS")),
        ("jdbc:oracle:thin:@db/crm", 'crm."Orders"', ("oracle://db:1521", "CRM.CRM.Orders")),
        ("jdbc:db2://db:50000/shop", "crm.orders", ("db2://db:50000", "SHOP.CRM.ORDERS")),
        ("jdbc:db2://h/SAMPLE:user=u;password=p;", "S.T", ("db2://h:50000", "SAMPLE.S.T")),
        ("jdbc:db2://h/SAMPLE:password=p;user=u;", "s.t", ("db2://h:50000", "SAMPLE.S.T")),
        ("jdbc:db2://h/SAMPLE:user=u;currentSchema=S;", "t", ("db2://h:50000", "SAMPLE.S.T")),
        ("jdbc:db2:SAMPLE:user=u;password=p;", "S.T", ("db2:SAMPLE", "S.T")),
        ("jdbc:mysql://db/shop", "crm.orders", ("mysql://db:3306", "crm.orders")),
        ("jdbc:trino://db:8080/hive/crm", "Other.Orders", ("trino://db:8080", "hive.other.orders")),
        ("jdbc:acme://db/shop", "shop.orders", ("acme://db", "shop.orders")),
        ("jdbc:acme://db/shop", "crm.orders", ("acme://db", "shop.crm.orders")),
        ("jdbc:trino://db:8080/hive/crm", "orders", ("trino://db:8080", "hive.crm.orders")),
        ("jdbc:hive2://db:10000/crm", "orders", ("hive://db:10000", "crm.default.orders")),
        ("jdbc:snowflake://org-account.snowflakecomputing.com/?db=shop&schema=crm", "orders", ("snowflake://org-account", "SHOP.CRM.ORDERS")),
        ("jdbc:clickhouse://db/shop", "orders", ("clickhouse://db:8123", "shop.orders")),
        ("jdbc:h2:mem:x", "orders", ("h2:mem:x", "orders")),
        ("jdbc:derby:memory", "public.orders", ("derby:memory", "public.orders")),
    ],
)  # fmt: skip
def test_a_table_behind_jdbc_has_one_name_for_all_spellings_and_no_credentials(
    url: str, table: str, key: tuple[str, str]
) -> None:
    assert jdbc_key(url, table) == key


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("select * from orders", ("orders",)),
        ("(select * from public.orders) t", ("public.orders",)),
        ('SELECT a FROM "Big" . "Orders" o, customers', ('"Big"."Orders"', "customers")),
        ("select * from a left join b on a.x = b.x join c using (x) where a.y > 1", ("a", "b", "c")),
        ("select x from (select x from a where y in (select y from b)) q", ("a", "b")),
        ("with r as (select * from a), s(z) as (select 1 from r) select * from r join s on true", ("a",)),
        ("select 'from nowhere' /* from b */ from a -- from c\n", ("a",)),
        ("select extract(year from d), x from a", ("a",)),
        ("select * from a where x is distinct from y", ("a",)),
        ("select x from a union all select x from b order by x", ("a", "b")),
        ("select * from only a", ("a",)),
        ("select * from generate_series(1, 3)", ()),
        ("select * from a, lateral (select 1) l", ()),
        ("select * from (values (1)) v", ()),
        ("call report()", ()),
        ("select * from a) where (1 = 1", ()),
        ("select * from (a", ()),
        ("select * from a join b using (id), c", ("a", "b", "c")),
        ("select * from a join b on a.id = b.id and f(a.x, b.x), c d, e where x in (1, 2)", ("a", "b", "c", "e")),
        ("select x, y from a group by x, y order by x, y", ("a",)),
        ("with orders as (select * from orders where x) select * from orders join customers on true", ("orders", "customers")),
        ("with a as (select * from b), b as (select * from a) select * from a, b", ("b",)),
        ("with recursive r as (select * from a union all select * from r) select * from r", ("a",)),
        ("with recursive r as (select * from s), s as (select * from a) select * from r", ("a",)),
        ("with r as (select * from a union all select * from r) select * from r", ()),
        ('with r as materialized (select * from a) select * from "r"', ("a",)),
        ("select * from (with r as (select * from a) select * from r) q join r on true", ("a", "r")),
        ("with r as (select 1) search depth first by x set y select * from r", ()),
        ("with 1 as x select x from a", ()),
        ("with r", ()),
        ("select * from t1 straight_join t2", ()),
        ("select * from a where x = 'it\\'s from b, c'", ()),
        ("select $$ from zz $$ from t", ()),
        ("select $tag$ from zz $tag$ from t", ()),
        ("select * from v$session", ("v$session",)),
        ("select * from db..t", ()),
        ("select * from t@remote", ()),
        ("", ()),
    ],
)
def test_the_tables_of_a_query_are_told_by_rule_or_not_at_all(query: str, tables: tuple[str, ...]) -> None:
    assert tables_of(query) == tables


def test_a_query_whose_tables_are_not_told_is_the_dataset() -> None:
    url = "jdbc:postgresql://db/shop"
    assert jdbc_keys(url, "select * from a join b on true") == (
        ("postgres://db:5432", "shop.public.a"),
        ("postgres://db:5432", "shop.public.b"),
    )
    assert jdbc_keys(url, "(select f(1)) t") == (("postgres://db:5432", "shop.(select f(1)) t"),)


@pytest.mark.parametrize(
    ("source", "options", "key"),
    [
        ("net.snowflake.spark.snowflake.SnowflakeRelation",
         {"sfurl": "org-acc.snowflakecomputing.com", "sfdatabase": "SHOP", "sfschema": "CRM", "dbtable": "ORDERS"},
         ("snowflake://org-acc", "SHOP.CRM.ORDERS")),
        ("snowflake", {"sfurl": "acc.snowflakecomputing.com", "sfdatabase": "d", "sfschema": "s", "dbtable": "t"},
         ("snowflake://acc", "D.S.T")),
        ("snowflake", {"sfurl": "acc", "sfdatabase": "D", "sfschema": "S", "dbtable": "X.T"}, ("snowflake://acc", "D.X.T")),
        ("snowflake", {"sfurl": "acc", "sfdatabase": "D", "sfschema": "S", "dbtable": 'E.X."my t"'}, ("snowflake://acc", "E.X.my t")),
        ("snowflake", {"sfurl": "acc", "dbtable": "E.X.T"}, ("snowflake://acc", "E.X.T")),
        ("bigquery", {"project": "p", "dataset": "d", "table": "e.t"}, ("bigquery", "p.e.t")),
        ("bigquery", {"project": "p", "dataset": "d", "table": "q:e.t"}, ("bigquery", "q.e.t")),
        ("bigquery", {"project": "p", "dataset": "d", "table": "q.e.t"}, ("bigquery", "q.e.t")),
        ("bigquery", {"project": "p", "table": "e.t"}, ("bigquery", "p.e.t")),
        ("bigquery", {"table": "e.t"}, ("bigquery", "e.t")),
        ("bigquery", {"table": "proj:data.orders"}, ("bigquery", "proj.data.orders")),
        ("com.google.cloud.spark.bigquery.BigQueryRelation", {"project": "proj", "dataset": "data", "table": "orders"},
         ("bigquery", "proj.data.orders")),
        ("org.apache.spark.sql.cassandra", {"spark.cassandra.connection.host": "c1,c2", "keyspace": "crm", "table": "orders"},
         ("cassandra://c1:9042", "crm.orders")),
        ("org.apache.spark.sql.cassandra", {"keyspace": "crm", "table": "orders"}, ("cassandra", "crm.orders")),
        ("mongodb", {"connection.uri": "mongodb://me:secret@m1:27017/?ssl=true", "database": "crm", "collection": "orders"},
         ("mongodb://m1:27017", "crm.orders")),
        ("mongodb", {"connection.uri": "mongodb://h/crm.orders"}, ("mongodb://h", "crm.orders")),
        ("mongodb", {"connection.uri": "mongodb+srv://me:*********(redacted)@h/crm.a.b?ssl=true"}, ("mongodb://h", "crm.a.b")),
        ("mongodb", {"connection.uri": "mongodb://h/crm", "collection": "orders"}, ("mongodb://h", "crm.orders")),
        ("mongodb", {"connection.uri": "mongodb://h/crm.x", "database": "d", "collection": "c"}, ("mongodb://h", "d.c")),
        ("org.elasticsearch.spark.sql", {"es.nodes": "es1,es2", "es.resource": "orders"}, ("elasticsearch://es1:9200", "orders")),
        ("cosmos.oltp", {"spark.cosmos.accountendpoint": "https://a.documents.azure.com:443/", "spark.cosmos.database": "crm",
                         "spark.cosmos.container": "orders"}, ("azurecosmos://a.documents.azure.com/dbs/crm", "colls/orders")),
        ("com.microsoft.kusto.spark.datasource", {"kustocluster": "c", "kustodatabase": "crm", "kustotable": "orders"},
         ("azurekusto://c.kusto.windows.net", "crm/orders")),
    ],
)  # fmt: skip
def test_a_connector_that_has_a_rule_is_named_as_openlineage_names_it(
    source: str, options: dict[str, str], key: tuple[str, str]
) -> None:
    assert connector_key(source, options) == (key, True)


@pytest.mark.parametrize(
    ("source", "options", "key"),
    [
        ("com.acme.ShopSource", {"host": "h", "port": "99", "collection": "orders"}, ("ShopSource://h:99", "orders")),
        (
            "acme",
            {"url": "https://u:p@api.acme.org/v1", "database": "crm", "table": "orders"},
            ("acme://api.acme.org", "crm.orders"),
        ),
        ("acme", {"mode": "fast", "token": "*********(redacted)"}, ("acme", "mode=fast")),
        ("acme", {}, ("acme", "acme")),
    ],
)
def test_a_source_that_has_no_rule_is_named_by_its_class_and_options(
    source: str, options: dict[str, str], key: tuple[str, str]
) -> None:
    assert connector_key(source, options) == (key, False)
