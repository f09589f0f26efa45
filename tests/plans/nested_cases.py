"""Cases of nested data: structs, arrays, maps, functions with lambdas, JSON and variants. They read

baskets  basket_id, owner struct<name, email>, items array<struct<sku, price, qty>>, sizes array<int>, prices map<string,double>,
         more map<string,double>, trips array<struct<rate, stops array<struct<place, cost>>>>, wanted, factor, raw (JSON)
"""

from __future__ import annotations

from typing import Any

from .case import Case, save

BASKETS = (
    "CREATE TABLE IF NOT EXISTS baskets (basket_id BIGINT, owner STRUCT<name: STRING, email: STRING>, "
    "items ARRAY<STRUCT<sku: STRING, price: DOUBLE, qty: INT>>, sizes ARRAY<INT>, prices MAP<STRING, DOUBLE>, more MAP<STRING, DOUBLE>, "
    "trips ARRAY<STRUCT<rate: DOUBLE, stops: ARRAY<STRUCT<place: STRING, cost: DOUBLE>>>>, wanted STRING, factor DOUBLE, raw STRING) USING delta",
    "INSERT INTO baskets SELECT 1, named_struct('name', 'Ada', 'email', 'ada@example.org'), array(named_struct('sku', 'a', 'price', 2.0D, 'qty', 3)), "
    "array(1), map('a', 1.0D), map('b', 2.0D), array(named_struct('rate', 2.0D, 'stops', array(named_struct('place', 'Lund', 'cost', 3.0D)))), "
    '\'a\', 2.0D, \'{"a": 1, "city": "Lund", "tags": ["x"]}\'',
)


def nested(*columns: str) -> Case:
    """A query over `baskets`."""
    text = f"SELECT {', '.join(columns)} FROM baskets"
    return Case(lambda spark, root: save(spark.sql(text), root), _prepare)


def rows(text: str) -> Case:
    return Case(lambda spark, root: save(spark.sql(text), root), _prepare)


def _prepare(spark: Any, root: str) -> None:
    if not spark.catalog.tableExists("baskets"):
        for one in BASKETS:
            spark.sql(one)


def _fields_changed(spark: Any, root: str) -> None:
    from pyspark.sql import functions as sf

    owner, trip = sf.col("owner"), sf.struct(sf.col("factor").alias("rate"), sf.struct("wanted", "basket_id").alias("inner"))
    changed = spark.table("baskets").select(
        owner.withField("email", sf.lower("owner.email")).withField("domain", sf.col("raw")).alias("added"),
        owner.dropFields("email").alias("dropped"),
        trip.withField("inner.wanted", sf.col("owner.name")).dropFields("inner.basket_id").alias("deep"),
    )
    save(changed, root)


NESTED: dict[str, Case] = {
    "lambdas": nested(
        "transform(items, x -> x.price * factor) AS priced",
        "transform(items, (x, i) -> named_struct('sku', x.sku, 'at', i)) AS placed",
        "filter(items, x -> x.qty > 1) AS several",
        "exists(items, x -> x.price > 100) AS dear",
        "forall(items, x -> x.qty > 0) AS whole",
        "zip_with(items, sizes, (x, y) -> x.price * y) AS sized",
        "array_sort(items, (l, r) -> CASE WHEN l.price < r.price THEN -1 WHEN l.price > r.price THEN 1 ELSE 0 END) AS sorted",
    ),
    "lambdas_fold": nested(
        "aggregate(items, 0D, (total, x) -> total + x.price * x.qty) AS total",
        "aggregate(items, named_struct('n', 0, 'sum', 0D), (s, x) -> named_struct('n', s.n + 1, 'sum', s.sum + x.price), s -> s.sum / s.n) AS mean",
        "aggregate(items, named_struct('first', wanted, 'cost', factor), (s, x) -> named_struct('first', s.first, 'cost', s.cost + x.price)) AS both",
    ),
    "lambdas_of_maps": nested(
        "map_filter(prices, (k, v) -> v > factor) AS dear",
        "transform_values(prices, (k, v) -> v * factor) AS scaled",
        "transform_keys(prices, (k, v) -> concat(k, owner.name)) AS renamed",
        "map_zip_with(prices, more, (k, a, b) -> coalesce(a, b)) AS united",
    ),
    "lambdas_nested": nested(
        "transform(trips, t -> transform(t.stops, s -> s.cost * t.rate)) AS costs",
        "transform(trips, t -> named_struct('places', transform(t.stops, s -> s.place), 'rate', t.rate)) AS places",
        "filter(transform(items, x -> named_struct('sku', x.sku, 'cost', x.price * x.qty)), y -> y.cost > factor) AS dear",
        "exists(trips, t -> exists(t.stops, s -> s.place = wanted)) AS visited",
    ),
    "json": nested(
        "from_json(raw, 'city STRING, tags ARRAY<STRING>, home STRUCT<zip: STRING>') AS parsed",
        "from_json(raw, 'city STRING, home STRUCT<zip: STRING>').home.zip AS zip",
        "to_json(owner) AS written",
        "to_json(struct(basket_id, owner.name)) AS partly",
        "get_json_object(raw, '$.city') AS city",
        "get_json_object(raw, wanted) AS found",
    ),
    "variant": nested(
        "variant_get(parse_json(raw), '$.a', 'int') AS got",
        "CAST(parse_json(raw):city AS STRING) AS city",
        "parse_json(raw):tags[0]::string AS tag",
        "to_json(to_variant_object(owner)) AS written",
    ),
    "struct_star": rows("SELECT struct(*) AS everything, named_struct('a', wanted, 'b', owner).b.name AS inner FROM (SELECT basket_id, wanted, owner FROM baskets)"),
    "struct_expanded": rows("SELECT basket_id, owner.* FROM baskets"),
    "fields_changed": Case(_fields_changed, _prepare),
    "arrays_of_structs": nested(
        "items.price AS prices", "items[0].sku AS first", "trips.stops AS stops", "element_at(items, sizes[0]).qty AS qty",
        "arrays_zip(items.price, sizes) AS zipped", "array(owner, named_struct('name', wanted, 'email', raw)) AS people",
    ),
    "explode_structs": rows("SELECT basket_id, item.sku, item.price * factor AS cost FROM baskets LATERAL VIEW explode(items) AS item"),
    "posexplode_structs": rows("SELECT at, item FROM baskets LATERAL VIEW posexplode(items) AS at, item"),
    "inline": rows("SELECT basket_id, a, c FROM baskets LATERAL VIEW inline(filter(items, x -> x.qty > 1)) AS a, b, c"),
    "explode_map": rows("SELECT k, v FROM baskets LATERAL VIEW OUTER explode(prices) AS k, v"),
    "maps": nested(
        "prices['a'] AS one", "prices[wanted] AS chosen", "element_at(more, wanted) AS other", "map_keys(prices) AS keys", "map_values(prices) AS worth",
        "map(wanted, owner, 'x', named_struct('name', raw, 'email', raw)) AS made", "map(wanted, owner)['a'].email AS taken",
        "map_concat(prices, more) AS both", "map_from_arrays(array(wanted), array(owner)) AS paired",
    ),
}  # fmt: skip
