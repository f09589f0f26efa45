"""What is done with each class of Catalyst's that has no rule of its own, and which classes are known at all.

`catalyst_names.py` lists the classes that Spark and Delta have. One that a table of rules or handlers names is handled as that says;
every other one is in a group here, put there after a look at what it does. A class that is in no group was never seen: it gives
edges from all of its children, whose certainty is ``unknown``, and a reason. docs/coverage.md is made of all of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .catalyst_names import EXPRESSIONS, NODES

Treatment: TypeAlias = Literal["default rule", "not in analyzed plans", "unknown"]
SHORT: Final = "org.apache.spark.sql.catalyst.expressions."
"""Expressions of this package and those below are named in documents without it, all others in full."""


@dataclass(frozen=True, slots=True)
class Group:
    """Classes that are treated alike, by their names without the package, and why that is right."""

    title: str
    treatment: Treatment
    why: str
    names: frozenset[str]

    @classmethod
    def of(cls, title: str, treatment: Treatment, why: str, names: str) -> Group:
        return cls(title, treatment, why, frozenset(names.split()))


EXPRESSION_GROUPS: Final = (
    Group.of("numbers", "default rule", "computed from all its children", """
        Abs Acos Acosh Add Asin Asinh Atan Atan2 Atanh BRound Bin BitwiseAnd BitwiseCount BitwiseGet BitwiseNot BitwiseOr BitwiseXor Cbrt Ceil Conv
        Cos Cosh Cot Csc DecimalAddNoOverflowCheck DecimalDivideWithOverflowCheck Divide Exp Expm1 Factorial Floor Hypot IntegralDivide Log Log10
        Log1p Log2 Logarithm Multiply Pmod Pow Remainder Rint Round RoundCeil RoundFloor Sec ShiftLeft ShiftRight ShiftRightUnsigned Signum Sin Sinh
        Sqrt Subtract Tan Tanh ToDegrees ToRadians UnaryMinus UnscaledValue WidthBucket CheckOverflow CheckOverflowInSum MakeDecimal
    """),
    Group.of("comparisons and logic", "default rule", "computed from all its children", """
        And BinaryPredicate EqualNullSafe EqualTo GreaterThan GreaterThanOrEqual Greatest In InSubquery IsNaN IsNotNull IsNull Least LessThan LessThanOrEqual Not Or
    """),
    Group.of("text and bytes", "default rule", "computed from all its children; a length, or what is encrypted or encoded, shows enough of the value not to count as masked", """
        AesDecrypt AesEncrypt Ascii Base64 BinaryPad BitLength Chr CollationKey ConcatWs Contains Encode EndsWith FindInSet FormatNumber
        FormatString Hex ILike InitCap IsValidUTF8 Left Length Levenshtein Like LikeAll LikeAny Lower Luhncheck MakeValidUTF8 NotLikeAll NotLikeAny
        OctetLength Overlay ParseUrl Quote RLike RegExpCount RegExpExtract RegExpExtractAll RegExpInStr RegExpReplace RegExpSubStr Right Sentences
        SoundEx SplitPart StartsWith StringDecode StringInstr StringLPad StringLocate StringRPad StringRepeat StringReplace StringSpace StringSplit
        StringSplitSQL StringToMap StringTranslate StringTrim StringTrimLeft StringTrimRight Substring SubstringIndex TryValidateUTF8 UnBase64
        Unhex Upper UrlDecode UrlEncode ValidateUTF8 Collate
    """),
    Group.of("dates and times", "default rule", "computed from all its children", """
        AddMonths CastTimestampNTZToLong ConvertTimezone DateAdd DateAddInterval DateAddYMInterval DateDiff DateFormatClass DateFromUnixDate DateSub
        DayName DayOfMonth DayOfWeek DayOfYear DivideDTInterval DivideInterval DivideYMInterval ExtractANSIIntervalDays ExtractANSIIntervalHours
        ExtractANSIIntervalMinutes ExtractANSIIntervalMonths ExtractANSIIntervalSeconds ExtractANSIIntervalYears ExtractIntervalDays
        ExtractIntervalHours ExtractIntervalMinutes ExtractIntervalMonths ExtractIntervalSeconds ExtractIntervalYears FromUTCTimestamp FromUnixTime
        GetTimestamp Hour HoursOfTime LastDay MakeDTInterval MakeDate MakeInterval MakeTime MakeTimestamp MakeTimestampFromDateTime MakeTimestampNTZ
        MakeYMInterval MicrosToTimestamp MillisToTimestamp Minute MinutesOfTime Month MonthName MonthsBetween MultiplyDTInterval MultiplyInterval
        MultiplyYMInterval NextDay ParseToDate ParseToTimestamp PreciseTimestampConversion Quarter Second SecondWithFraction SecondsOfTime
        SecondsOfTimeWithFraction SecondsToTimestamp SubtractDates SubtractTimes SubtractTimestamps TimeAdd TimeAddInterval TimeDiff TimeTrunc
        TimestampAdd TimestampAddInterval TimestampAddYMInterval TimestampDiff ToTime ToUTCTimestamp ToUnixTimestamp TruncDate TruncTimestamp UnixDate
        UnixMicros UnixMillis UnixSeconds UnixTimestamp WeekDay WeekOfYear Year YearOfWeek SessionWindow TimeWindow WindowTime
    """),
    Group.of("formats", "default rule", "computed from all its children; what is parsed without a schema has no fields that could be told apart", """
        AvroDataToCatalyst CatalystDataToAvro FromAvro FromProtobuf GetJsonObject IsVariantNull JsonObjectKeys JsonTuple LengthOfJsonArray
        ParseJson SchemaOfAvro SchemaOfCsv SchemaOfJson SchemaOfVariant SchemaOfXml StructsToCsv StructsToJson StructsToXml ToAvro ToBinary ToCharacter
        ToNumber ToPrettyString ToProtobuf ToVariantObject TryToNumber VariantExplode VariantGet XPathBoolean XPathDouble XPathFloat XPathInt
        XPathList XPathLong XPathShort XPathString Empty2Null ST_AsBinary ST_GeogFromWKB ST_GeomFromWKB ST_SetSrid ST_Srid
    """),
    Group.of("arrays and maps", "default rule", "computed from all its children: a number, a test, or an array or map whose elements' fields are not told apart", """
        ArrayBinarySearch ArrayContains ArrayJoin ArrayPosition ArraySize ArraysOverlap MapContainsKey MapEntries MapFromEntries MapKeys Sequence Size
    """),
    Group.of("generators", "default rule", "nodes/columns.py knows what explode, inline and stack put in which column; of the others each column comes from all that goes in", """
        Explode GeneratorOuter Inline PosExplode Stack UserDefinedGenerator
    """),
    Group.of("aggregate functions", "default rule", "computed from all its children, as AGGREGATION; a sketch that holds values does not mask them", """
        ApproxTopK ApproxTopKAccumulate ApproxTopKCombine ApproxTopKEstimate ApproximatePercentile Average BitAndAgg BitOrAgg BitXorAgg BitmapAggregator
        BitmapAndAgg BitmapConstructAgg BitmapBitPosition BitmapBucketNumber BitmapOrAgg BoolAnd BoolOr CollectFrequentItems Corr CovPopulation CovSample
        HistogramNumeric HllUnion HllUnionAgg KllMergeAggBigint KllMergeAggDouble KllMergeAggFloat KllSketchAggBigint KllSketchAggDouble
        KllSketchAggFloat KllSketchGetQuantileBigint KllSketchGetQuantileDouble KllSketchGetQuantileFloat KllSketchGetRankBigint
        KllSketchGetRankDouble KllSketchGetRankFloat KllSketchMergeBigint KllSketchMergeDouble KllSketchMergeFloat KllSketchToStringBigint
        KllSketchToStringDouble KllSketchToStringFloat Kurtosis MaxVariantStats Median MetricsAggregate MinVariantStats PandasCovar
        PandasKurtosis PandasProduct PandasSkewness PandasStddev PandasVariance Percentile PercentileCont PercentileDisc Product
        RegrAvgX RegrAvgY RegrIntercept RegrR2 RegrReplacement RegrSXX RegrSXY RegrSYY RegrSlope SchemaOfVariantAgg Skewness StddevPop StddevSamp
        Sum ThetaDifference ThetaIntersection ThetaIntersectionAgg ThetaUnion ThetaUnionAgg VariancePop VarianceSamp
    """),
    Group.of("windows", "default rule", "the partition, the order and the function that stand in it; the window itself bears as WINDOW", """
        EWM NullIndex SortOrder WindowSpecDefinition
    """),
    Group.of("typed datasets", "default rule", "how rows become objects and objects rows; the node around it is opaque", """
        BoundReference CatalystToExternalMap CreateExternalRow DecodeUsingSerializer EncodeUsingSerializer ExternalMapToCatalyst GetExternalRowField
        InitializeJavaBean LambdaVariable MapObjects NewInstance UnwrapOption UnwrapUDT UpCast ValidateExternalType WrapOption
    """),
    Group.of("functions that stop the query", "default rule", "nothing comes of it, or what it was given", "PrintToStderr RaiseError"),
    Group.of("of other code", "default rule", "all that goes in may come out", "CallMethodViaReflection"),
    Group.of("of Delta's own queries", "default rule", "computed from all its children", """
        CheckDeltaInvariant ConditionalIncrementMetric DecodeNestedZ85EncodedVariant DeletedRecordCountsHistogramAgg EncodeNestedVariantAsZ85String
        FileSizeHistogramAgg HilbertByteArrayIndex HilbertLongIndex InterleaveBits PartitionerExpr RangePartitionId
    """),
    Group.of("subqueries", "default rule", "the columns of its rows and what decides about them", """
        FunctionTableSubqueryArgumentExpression LateralSubquery ListQuery
    """),
    Group.of("clauses of MERGE", "default rule", "nodes/dml.py takes them apart", """
        Assignment DeleteAction DeltaMergeAction DeltaMergeIntoMatchedDeleteClause DeltaMergeIntoMatchedUpdateClause
        DeltaMergeIntoNotMatchedBySourceDeleteClause DeltaMergeIntoNotMatchedBySourceUpdateClause DeltaMergeIntoNotMatchedInsertClause Discard
        InsertAction InsertStarAction Keep Split UpdateAction UpdateStarAction
    """),
    Group.of("definitions", "default rule", "parts of commands that change no value: columns, constraints, how rows are spread", """
        AlterColumnSpec Bucket CheckConstraint CheckInvariant ColumnDefinition Days DefaultValueExpression DirectShufflePartitionID ForeignKeyConstraint
        Hours Months OptionList PrimaryKeyConstraint QualifiedColType ResolvedFieldName ResolvedFieldPosition ResolvedPartitionSpec
        TransformExpression UniqueConstraint UnresolvedTableSpec Years
    """),
    Group.of("parsed", "not in analyzed plans", "the analyzer puts something else in its place", """
        ColumnNodeExpression Cube DropField ExpressionWithUnresolvedIdentifier GetColumnByOrdinal GetViewColumnByNameAndOrdinal Grouping GroupingID GroupingSets
        LateralColumnAliasReference LazyExpression MultiAlias NamePlaceholder NamedArgumentExpression NamedParameter PosParameter PrettyAttribute
        PrettyPythonUDF ResolvedStar Rollup SQLFunctionExpression SemiStructuredExtract UnresolvedAlias UnresolvedAttribute UnresolvedCatalystToExternalMap
        UnresolvedCollation UnresolvedDataFrameStar UnresolvedDeserializer UnresolvedExistsPlanId UnresolvedExtractValue UnresolvedFieldName
        UnresolvedFieldPosition UnresolvedFunction UnresolvedGenerator UnresolvedInSubqueryPlanId UnresolvedMapObjects
        UnresolvedNamedLambdaVariable UnresolvedOrdinal UnresolvedPartitionSpec UnresolvedPipeAggregateOrdinal UnresolvedPolymorphicPythonUDTF
        UnresolvedRegex UnresolvedScalarSubqueryPlanId UnresolvedSeed UnresolvedStar UnresolvedStarExceptOrReplace UnresolvedStarWithColumns
        UnresolvedStarWithColumnsRenames UnresolvedTableArgPlanId UnresolvedWindowExpression UnresolvedWithinGroup
    """),
    Group.of("made later", "not in analyzed plans", "the optimizer or the planner makes it", """
        AtLeastNNonNulls BloomFilterMightContain CoalescedHashPartitioning DynamicPruningExpression DynamicPruningSubquery ExpressionProxy
        HashPartitioning InSet InSubqueryExec KeyGroupedPartitioning MultiCommutativeOp PartitioningCollection RangePartitioning ReplicateRows
        ScalarCastHelper ScalarSubqueryReference ShufflePartitionIdPassThrough SortPrefix ToJavaArray
    """),
)  # fmt: skip

NODE_GROUPS: Final = (
    Group.of("parsed", "not in analyzed plans", "the analyzer puts something else in its place", """
        CDCNameBased CDCPathBased Call CloneTableStatement ClusterByPlan CurrentNamespace DataFrameDropColumns DeltaDelete DeltaMergeInto DeltaReorgTable
        DeltaUpdateTable DescribeDeltaHistory DummyExpressionHolder ExecuteImmediateQuery FakeLogicalPlan GeneralParameterizedQuery InsertIntoDir
        LoadData MergeIntoTable NameParameterizedQuery Pivot PlanWithUnresolvedIdentifier PosParameterizedQuery RelationTimeTravel RestoreTableStatement
        SQLTableFunction TableChanges TemporaryViewRelation TimeTravel Unpivot UnresolvedCteRelationRef UnresolvedDataSource
        UnresolvedEventTimeWatermark UnresolvedExecuteImmediate UnresolvedFunctionName UnresolvedHaving UnresolvedInlineTable UnresolvedNamespace
        UnresolvedPathBasedDeltaTable UnresolvedPathBasedDeltaTableRelation UnresolvedPathBasedTable UnresolvedProcedure UnresolvedRelation
        UnresolvedTVFAliases UnresolvedTable UnresolvedTableOrView UnresolvedTableValuedFunction UnresolvedTranspose UnresolvedView UnresolvedWith
        UpdateTable V2TableReference
    """),
    Group.of("made later", "not in analyzed plans", "the optimizer or the planner makes it", """
        ArrowEvalPythonUDTF BatchEvalPythonUDTF DeleteFromTableWithFilters DeltaInvariantChecker DomainJoin EmptyRelation
        ExpressionLogicalPlanWrapper LogicalQueryStage OrderedJoin ScanBuilderHolder WindowGroupLimit WriteFiles WriteToDataSourceV2
    """),
    Group.of("parts of SQL scripts", "not in analyzed plans", "a script runs its statements one by one, and each is an execution of its own", """
        CompoundBody ErrorCondition ExceptionHandler ForStatement IfElseStatement IterateStatement LeaveStatement LoopStatement RepeatStatement
        SearchedCaseStatement SimpleCaseStatement SingleStatement WhileStatement
    """),
    Group.of("definitions of streams", "not in analyzed plans", "a stream's batch has what its source gave in that batch in its place", """
        OffsetHolder StreamingExecutionRelation StreamingRelation StreamingRelationV2 WriteToStream WriteToStreamStatement
    """),
    Group.of("declarative pipelines", "not in analyzed plans", "the pipeline runs its flows as queries of their own", """
        CreateFlowCommand CreateMaterializedViewAsSelect CreateStreamingTable CreateStreamingTableAsSelect
    """),
    Group.of("no handler", "unknown", "taken the unknown path: edges from everything below it, and a reason", """
        ExternalCommandExecutor WriteToContinuousDataSource
    """),
)  # fmt: skip


def known_as(name: str) -> str | None:
    """The name, without its package, under which rules know an expression of a document; None for one that was never seen."""
    return _KNOWN.get(name)


def simple(class_name: str) -> str:
    """The name of a class without its package and what is around it."""
    return class_name.rstrip("$").rsplit(".", 1)[-1].rsplit("$", 1)[-1]


def releases_of(listed: str) -> tuple[str, str | None]:
    """A name in the lists of `catalyst_names.py`, and the only release that has it; None for one that all have."""
    name, _, release = listed.partition(":")
    return name, release or None


def _known() -> dict[str, str]:
    known: dict[str, str] = {}
    for package, listed in EXPRESSIONS.items():
        for name, _ in map(releases_of, listed.split()):
            full = f"{package}.{name}"
            for spelled in (full, full + "$"):
                known[spelled] = simple(name)
            if full.startswith(SHORT):
                known[simple(name)] = simple(name)
    return known


_KNOWN: Final = _known()

__all__ = ["EXPRESSIONS", "EXPRESSION_GROUPS", "NODES", "NODE_GROUPS", "Group", "known_as", "releases_of", "simple"]
