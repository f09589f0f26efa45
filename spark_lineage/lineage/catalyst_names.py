"""The concrete classes of plan nodes and expressions in Spark and Delta, by package. Written by scripts/catalyst_classes.py.

One that only some releases have says which: ``TimeAdd:4.0``. What is done with each of them, `catalyst.py` says.
"""

from __future__ import annotations

from typing import Final

RELEASES: Final = ("4.0", "4.1")

NODES: Final[dict[str, str]] = {
    "io.delta.tables.execution": """
        VacuumTableCommand
    """,
    "org.apache.spark.sql.catalyst": """
        TimeTravel
    """,
    "org.apache.spark.sql.catalyst.analysis": """
        CurrentNamespace ExecuteImmediateQuery:4.0 GeneralParameterizedQuery:4.1 NameParameterizedQuery
        PlanWithUnresolvedIdentifier PosParameterizedQuery RelationTimeTravel ResolvedIdentifier ResolvedInlineTable
        ResolvedNamespace ResolvedNonPersistentFunc ResolvedPersistentFunc ResolvedPersistentView ResolvedProcedure
        ResolvedTable ResolvedTempView SQLFunctionNode SQLTableFunction UnresolvedEventTimeWatermark:4.1
        UnresolvedExecuteImmediate:4.1 UnresolvedFunctionName UnresolvedHaving UnresolvedIdentifier
        UnresolvedInlineTable UnresolvedNamespace UnresolvedProcedure UnresolvedRelation
        UnresolvedSubqueryColumnAliases UnresolvedTVFAliases UnresolvedTable UnresolvedTableOrView
        UnresolvedTableValuedFunction UnresolvedTranspose UnresolvedView V2TableReference:4.1
    """,
    "org.apache.spark.sql.catalyst.analysis.resolver": """
        UnresolvedCteRelationRef:4.1
    """,
    "org.apache.spark.sql.catalyst.catalog": """
        HiveTableRelation TemporaryViewRelation UnresolvedCatalogRelation
    """,
    "org.apache.spark.sql.catalyst.encoders": """
        DummyExpressionHolder
    """,
    "org.apache.spark.sql.catalyst.expressions": """
        PipeOperator
    """,
    "org.apache.spark.sql.catalyst.optimizer": """
        OrderedJoin
    """,
    "org.apache.spark.sql.catalyst.plans.logical": """
        AddCheckConstraint:4.1 AddColumns AddConstraint:4.1 AddPartitions Aggregate AlterColumnSyncIdentity
        AlterColumns AlterTableAddConstraint AlterTableClusterBy AlterTableCollation AlterTableDropConstraint
        AlterTableDropFeature AlterViewAs AlterViewSchemaBinding AnalyzeColumn AnalyzeTable AnalyzeTables
        AppendColumns AppendColumnsWithObject AppendData ArrowEvalPython ArrowEvalPythonUDTF AsOfJoin
        AttachDistributedSequence BatchEvalPython BatchEvalPythonUDTF CTERelationDef CTERelationRef CacheTable
        CacheTableAsSelect Call CloneTableStatement CoGroup CollectMetrics CommandResult CommentOnNamespace
        CommentOnTable CompoundBody CreateFlowCommand:4.1 CreateFunction CreateIndex
        CreateMaterializedViewAsSelect:4.1 CreateNamespace CreateStreamingTable:4.1 CreateStreamingTableAsSelect:4.1
        CreateTable CreateTableAsSelect CreateUserDefinedFunction CreateVariable CreateView DataFrameDropColumns
        Deduplicate DeduplicateWithinWatermark DeleteFromTable DeleteFromTableWithFilters DeltaDelete DeltaMergeInto
        DeltaUpdateTable DescribeColumn DescribeFunction DescribeNamespace DescribeRelation DeserializeToObject
        Distinct DomainJoin DropColumns DropConstraint:4.1 DropFunction DropIndex DropNamespace DropPartitions
        DropTable DropVariable DropView EmptyRelation ErrorCondition EventTimeWatermark Except ExceptionHandler Expand
        Filter FlatMapCoGroupsInArrow FlatMapCoGroupsInPandas FlatMapGroupsInArrow FlatMapGroupsInPandas
        FlatMapGroupsInPandasWithState FlatMapGroupsInR FlatMapGroupsInRWithArrow FlatMapGroupsWithState ForStatement
        Generate GlobalLimit IfElseStatement InsertIntoDir InsertIntoStatement Intersect IterateStatement Join
        LateralJoin LeaveStatement LimitAll:4.1 LoadData LocalLimit LocalRelation LoopStatement MapElements MapGroups
        MapInArrow MapInPandas MapPartitions MapPartitionsInR MapPartitionsInRWithArrow MergeIntoTable MergeRows
        MultiResult NoopCommand Offset OneRowRelation OverwriteByExpression OverwritePartitionsDynamic Pivot Project
        PythonWorkerLogs:4.1 Range RebalancePartitions RecoverPartitions RefreshFunction RefreshTable RenameColumn
        RenamePartitions RenameTable RepairTable Repartition RepartitionByExpression RepeatStatement ReplaceColumns
        ReplaceData ReplaceTable ReplaceTableAsSelect ResolvedHint RestoreTableStatement ReturnAnswer SQLFunctionNode
        Sample ScriptTransformation SearchedCaseStatement SerializeFromObject SetCatalogAndNamespace
        SetNamespaceLocation SetNamespaceProperties SetTableLocation SetTableProperties SetTableSerDeProperties
        SetVariable SetViewProperties ShowColumns ShowCreateTable ShowFunctions ShowNamespaces:4.0 ShowPartitions
        ShowTablePartition ShowTableProperties ShowTables ShowTablesExtended ShowViews SimpleCaseStatement
        SingleStatement Sort Subquery SubqueryAlias Tail TransformWithState TransformWithStateInPandas:4.0
        TransformWithStateInPySpark:4.1 Transpose TruncatePartition TruncateTable TypedFilter UncacheTable Union
        UnionLoop UnionLoopRef Unpivot UnresolvedDataSource UnresolvedHint UnresolvedWith UnsetTableProperties
        UnsetViewProperties UpdateEventTimeWatermarkColumn UpdateTable View WhileStatement Window WindowGroupLimit
        WithCTE WithWindowDefinition WriteDelta
    """,
    "org.apache.spark.sql.catalyst.streaming": """
        StreamingRelationV2 WriteToStream WriteToStreamStatement
    """,
    "org.apache.spark.sql.delta": """
        CDCNameBased CDCPathBased DeltaDynamicPartitionOverwriteCommand ResolvedPathBasedNonDeltaTable TableChanges
        UnresolvedPathBasedDeltaTable UnresolvedPathBasedDeltaTableRelation UnresolvedPathBasedTable
    """,
    "org.apache.spark.sql.delta.commands": """
        AlterTableAddColumnsDeltaCommand AlterTableAddConstraintDeltaCommand AlterTableChangeColumnDeltaCommand
        AlterTableClusterByDeltaCommand AlterTableDropColumnsDeltaCommand AlterTableDropConstraintDeltaCommand
        AlterTableDropFeatureDeltaCommand AlterTableReplaceColumnsDeltaCommand AlterTableSetLocationDeltaCommand
        AlterTableSetPropertiesDeltaCommand AlterTableUnsetPropertiesDeltaCommand CloneTableCommand
        ConvertToDeltaCommand CreateDeltaTableCommand DeleteCommand DeltaGenerateCommand
        DeltaInsertReplaceOnOrUsingCommand DeltaReorgTable DeltaReorgTableCommand DescribeDeltaDetailCommand
        DescribeDeltaHistory DescribeDeltaHistoryCommand MergeIntoCommand OptimizeTableCommand RestoreTableCommand
        ShowDeltaPartitionsCommand ShowDeltaTableColumnsCommand TruncateDeltaTableCommand UpdateCommand WriteIntoDelta
    """,
    "org.apache.spark.sql.delta.commands.backfill": """
        RowTrackingBackfillCommand RowTrackingUnBackfillCommand
    """,
    "org.apache.spark.sql.delta.constraints": """
        DeltaInvariantChecker ExpressionLogicalPlanWrapper
    """,
    "org.apache.spark.sql.delta.skipping.clustering.temp": """
        AlterTableClusterBy ClusterByPlan
    """,
    "org.apache.spark.sql.delta.util": """
        AnalysisHelper$FakeLogicalPlan
    """,
    "org.apache.spark.sql.execution": """
        ExternalRDD LogicalRDD
    """,
    "org.apache.spark.sql.execution.adaptive": """
        LogicalQueryStage
    """,
    "org.apache.spark.sql.execution.columnar": """
        InMemoryRelation
    """,
    "org.apache.spark.sql.execution.command": """
        AddArchivesCommand AddFilesCommand AddJarsCommand AlterDatabasePropertiesCommand
        AlterDatabaseSetLocationCommand AlterTableAddColumnsCommand AlterTableAddPartitionCommand
        AlterTableChangeColumnCommand AlterTableDropPartitionCommand AlterTableRenameCommand
        AlterTableRenamePartitionCommand AlterTableSerDePropertiesCommand AlterTableSetLocationCommand
        AlterTableSetPropertiesCommand AlterTableUnsetPropertiesCommand AlterViewAsCommand
        AlterViewSchemaBindingCommand AnalyzeColumnCommand AnalyzePartitionCommand AnalyzeTableCommand
        AnalyzeTablesCommand ClearCacheCommand CreateDataSourceTableAsSelectCommand CreateDataSourceTableCommand
        CreateDatabaseCommand CreateFunctionCommand CreateSQLFunctionCommand CreateTableCommand CreateTableLikeCommand
        CreateViewCommand DescribeColumnCommand DescribeDatabaseCommand DescribeFunctionCommand
        DescribeProcedureCommand:4.1 DescribeQueryCommand DescribeRelationJsonCommand DescribeTableCommand
        DropDatabaseCommand DropFunctionCommand DropTableCommand DropTempViewCommand ExplainCommand
        ExternalCommandExecutor InsertIntoDataSourceDirCommand ListArchivesCommand ListFilesCommand ListJarsCommand
        LoadDataCommand RefreshFunctionCommand RefreshTableCommand RepairTableCommand ResetCommand
        SaveAsV1TableCommand:4.1 SetCatalogCommand SetCommand SetNamespaceCollationCommand:4.1 SetNamespaceCommand
        ShowCatalogsCommand ShowColumnsCommand ShowCreateTableAsSerdeCommand ShowCreateTableCommand
        ShowCurrentNamespaceCommand ShowFunctionsCommand ShowNamespacesCommand:4.1 ShowPartitionsCommand
        ShowProceduresCommand:4.1 ShowTablePropertiesCommand ShowTablesCommand ShowViewsCommand
        StreamingExplainCommand TruncateTableCommand UnsetNamespacePropertiesCommand
    """,
    "org.apache.spark.sql.execution.datasources": """
        CreateTable CreateTempViewUsing InsertIntoDataSourceCommand InsertIntoHadoopFsRelationCommand LogicalRelation
        RefreshResource SaveIntoDataSourceCommand WriteFiles
    """,
    "org.apache.spark.sql.execution.datasources.v2": """
        DataSourceV2Relation DataSourceV2ScanRelation ScanBuilderHolder StreamingDataSourceV2Relation
        StreamingDataSourceV2ScanRelation WriteToDataSourceV2
    """,
    "org.apache.spark.sql.execution.streaming": """
        OffsetHolder:4.0 StreamingExecutionRelation:4.0 StreamingRelation:4.0
    """,
    "org.apache.spark.sql.execution.streaming.continuous": """
        WriteToContinuousDataSource
    """,
    "org.apache.spark.sql.execution.streaming.runtime": """
        OffsetHolder:4.1 StreamingExecutionRelation:4.1 StreamingRelation:4.1
    """,
    "org.apache.spark.sql.execution.streaming.sources": """
        MemoryPlan WriteToMicroBatchDataSource WriteToMicroBatchDataSourceV1
    """,
    "org.apache.spark.sql.hive.execution": """
        CreateHiveTableAsSelectCommand InsertIntoHiveDirCommand InsertIntoHiveTable
    """,
}

EXPRESSIONS: Final[dict[str, str]] = {
    "org.apache.spark.ml.stat": """
        SummaryBuilderImpl$MetricsAggregate
    """,
    "org.apache.spark.sql.avro": """
        AvroDataToCatalyst CatalystDataToAvro SchemaOfAvro
    """,
    "org.apache.spark.sql.catalyst.analysis": """
        ExpressionWithUnresolvedIdentifier GetColumnByOrdinal GetViewColumnByNameAndOrdinal LazyExpression MultiAlias
        NamedParameter PosParameter ResolvedFieldName ResolvedFieldPosition ResolvedPartitionSpec ResolvedStar
        SQLFunctionExpression SQLScalarFunction TempResolvedColumn UnresolvedAlias UnresolvedAttribute
        UnresolvedDataFrameStar UnresolvedDeserializer UnresolvedExtractValue UnresolvedFieldName
        UnresolvedFieldPosition UnresolvedFunction UnresolvedGenerator UnresolvedOrdinal UnresolvedPartitionSpec
        UnresolvedPipeAggregateOrdinal UnresolvedRegex UnresolvedSeed UnresolvedStar UnresolvedStarExceptOrReplace
        UnresolvedStarWithColumns UnresolvedStarWithColumnsRenames UnresolvedWithinGroup
    """,
    "org.apache.spark.sql.catalyst.expressions": """
        Abs Acos Acosh Add AddMonths AesDecrypt AesEncrypt Alias And ApplyFunctionExpression ApproxTopKEstimate:4.1
        ArrayAggregate ArrayAppend ArrayBinarySearch ArrayCompact ArrayContains ArrayDistinct ArrayExcept ArrayExists
        ArrayFilter ArrayForAll ArrayInsert ArrayIntersect ArrayJoin ArrayMax ArrayMin ArrayPosition ArrayPrepend
        ArrayRemove ArrayRepeat ArraySize ArraySort ArrayTransform ArrayUnion ArraysOverlap ArraysZip Ascii Asin Asinh
        AssertTrue AtLeastNNonNulls Atan Atan2 Atanh AttributeReference BRound Base64 Between Bin BinaryPad
        BinaryPredicate BitLength BitmapAndAgg:4.1 BitmapBitPosition BitmapBucketNumber BitmapConstructAgg BitmapCount
        BitmapOrAgg BitwiseAnd BitwiseCount BitwiseGet BitwiseNot BitwiseOr BitwiseXor BloomFilterMightContain
        BoundReference Bucket CallMethodViaReflection CaseWhen Cast CastTimestampNTZToLong Cbrt Ceil
        CheckConstraint:4.1 CheckInvariant:4.1 CheckOverflow CheckOverflowInSum CheckOverflowInTableInsert Chr
        Coalesce Collate Collation CollationAwareMurmur3Hash CollationAwareXxHash64 CollationKey Collations
        CommonExpressionDef CommonExpressionRef Concat ConcatWs Contains Conv ConvertTimezone Cos Cosh Cot Crc32
        CreateArray CreateMap CreateNamedStruct Csc CsvToStructs Cube CumeDist CurrentBatchTimestamp CurrentCatalog
        CurrentDatabase CurrentDate CurrentRow CurrentTime:4.1 CurrentTimeZone CurrentTimestamp CurrentUser DateAdd
        DateAddInterval DateAddYMInterval DateDiff DateFormatClass DateFromUnixDate DateSub DatetimeSub DayName
        DayOfMonth DayOfWeek DayOfYear Days DecimalAddNoOverflowCheck DecimalDivideWithOverflowCheck Decode DenseRank
        DirectShufflePartitionID:4.1 DistributedSequenceID Divide DivideDTInterval DivideInterval DivideYMInterval
        DropField DynamicPruningExpression DynamicPruningSubquery EWM ElementAt Elt Empty2Null Encode EndsWith
        EqualNull EqualNullSafe EqualTo EulerNumber Exists Exp Explode Expm1 ExpressionProxy Extract
        ExtractANSIIntervalDays ExtractANSIIntervalHours ExtractANSIIntervalMinutes ExtractANSIIntervalMonths
        ExtractANSIIntervalSeconds ExtractANSIIntervalYears ExtractIntervalDays ExtractIntervalHours
        ExtractIntervalMinutes ExtractIntervalMonths ExtractIntervalSeconds ExtractIntervalYears Factorial FindInSet
        Flatten Floor ForeignKeyConstraint:4.1 FormatNumber FormatString FromAvro FromProtobuf FromUTCTimestamp
        FromUnixTime FunctionTableSubqueryArgumentExpression GeneratorOuter Get GetArrayItem GetArrayStructFields
        GetJsonObject GetMapValue GetStructField GetTimestamp GreaterThan GreaterThanOrEqual Greatest Grouping
        GroupingID GroupingSets Hex HiveHash HllSketchEstimate HllUnion Hour Hours HoursOfTime:4.1 Hypot ILike If In
        InSet InSubquery InitCap Inline InputFileBlockLength InputFileBlockStart InputFileName IntegralDivide IsNaN
        IsNotNull IsNull IsValidUTF8 JsonObjectKeys JsonToStructs JsonTuple KllSketchGetNBigint:4.1
        KllSketchGetNDouble:4.1 KllSketchGetNFloat:4.1 KllSketchGetQuantileBigint:4.1 KllSketchGetQuantileDouble:4.1
        KllSketchGetQuantileFloat:4.1 KllSketchGetRankBigint:4.1 KllSketchGetRankDouble:4.1 KllSketchGetRankFloat:4.1
        KllSketchMergeBigint:4.1 KllSketchMergeDouble:4.1 KllSketchMergeFloat:4.1 KllSketchToStringBigint:4.1
        KllSketchToStringDouble:4.1 KllSketchToStringFloat:4.1 KnownFloatingPointNormalized KnownNotContainsNull
        KnownNotNull KnownNullable Lag LambdaFunction LastDay LateralColumnAliasReference LateralSubquery Lead Least
        Left Length LengthOfJsonArray LessThan LessThanOrEqual Levenshtein Like LikeAll LikeAny ListQuery Literal
        LocalTimestamp Log Log10 Log1p Log2 Logarithm Lower Luhncheck MakeDTInterval MakeDate MakeDecimal MakeInterval
        MakeTime:4.1 MakeTimestamp MakeTimestampFromDateTime:4.1 MakeTimestampNTZ:4.1 MakeValidUTF8 MakeYMInterval
        MapConcat MapContainsKey MapEntries MapFilter MapFromArrays MapFromEntries MapKeys MapSort MapValues
        MapZipWith Mask Md5 MicrosToTimestamp MillisToTimestamp Minute MinutesOfTime:4.1 MonotonicallyIncreasingID
        Month MonthName Months MonthsBetween MultiCommutativeOp Multiply MultiplyDTInterval MultiplyInterval
        MultiplyYMInterval Murmur3Hash NTile NaNvl NamePlaceholder NamedArgumentExpression NamedLambdaVariable NextDay
        Not NotLikeAll NotLikeAny Now NthValue NullIf NullIfZero NullIndex Nvl Nvl2 OctetLength Or OuterReference
        OuterScopeReference:4.1 Overlay ParseToDate ParseToTimestamp ParseUrl PercentRank Pi PipeExpression Pmod
        PosExplode Pow PreciseTimestampConversion PrettyAttribute PrettyPythonUDF PrimaryKeyConstraint:4.1
        PrintToStderr PythonUDAF PythonUDF PythonUDTF Quarter Quote:4.1 RLike RaiseError Rand RandStr Randn Rank
        RegExpCount RegExpExtract RegExpExtractAll RegExpInStr RegExpReplace RegExpSubStr Remainder ReplicateRows
        ResolvedCollation Reverse Right Rint Rollup Round RoundCeil RoundFloor RowNumber SQLKeywords ScalaUDF
        ScalarSubquery SchemaOfAvro SchemaOfCsv SchemaOfJson SchemaOfXml Sec Second SecondWithFraction
        SecondsOfTime:4.1 SecondsOfTimeWithFraction:4.1 SecondsToTimestamp SemiStructuredExtract:4.1 Sentences
        Sequence SessionWindow Sha1 Sha2 ShiftLeft ShiftRight ShiftRightUnsigned Shuffle Signum Sin Sinh Size Slice
        SortArray SortOrder SortPrefix SoundEx SparkPartitionID SparkVersion SpecifiedWindowFrame SplitPart Sqrt Stack
        StartsWith StringDecode StringInstr StringLPad StringLocate StringRPad StringRepeat StringReplace StringSpace
        StringSplit StringSplitSQL StringToMap StringTranslate StringTrim StringTrimBoth StringTrimLeft
        StringTrimRight StructsToCsv StructsToJson StructsToXml Substring SubstringIndex Subtract SubtractDates
        SubtractTimes:4.1 SubtractTimestamps Tan Tanh ThetaDifference:4.1 ThetaIntersection:4.1
        ThetaSketchEstimate:4.1 ThetaUnion:4.1 TimeAdd:4.0 TimeAddInterval:4.1 TimeDiff:4.1 TimeTrunc:4.1 TimeWindow
        TimestampAdd TimestampAddInterval:4.1 TimestampAddYMInterval TimestampDiff ToAvro ToBinary ToCharacter
        ToDegrees ToJavaArray ToNumber ToPrettyString ToProtobuf ToRadians ToTime:4.1 ToUTCTimestamp ToUnixTimestamp
        TransformExpression TransformKeys TransformValues TruncDate TruncTimestamp TryAdd TryAesDecrypt TryDivide
        TryElementAt TryEval TryMakeInterval TryMakeTimestamp TryMakeTimestampFromDateTime:4.1 TryMod TryMultiply
        TryParseUrl TryReflect TrySubtract TryToBinary TryToNumber TryUrlDecode TryValidateUTF8 TypeOf
        TypedNullLiteral UnBase64 UnaryMinus UnaryPositive UnboundedFollowing UnboundedPreceding Unhex Uniform
        UniqueConstraint:4.1 UnixDate UnixMicros UnixMillis UnixSeconds UnixTimestamp UnresolvedCollation
        UnresolvedExistsPlanId UnresolvedInSubqueryPlanId:4.1 UnresolvedNamedLambdaVariable
        UnresolvedPolymorphicPythonUDTF UnresolvedScalarSubqueryPlanId UnresolvedTableArgPlanId
        UnresolvedWindowExpression UnscaledValue UnspecifiedFrame UnwrapUDT UpCast UpdateFields Upper UrlDecode
        UrlEncode UserDefinedGenerator Uuid ValidateUTF8 VariableReference WeekDay WeekOfYear WidthBucket
        WindowExpression WindowSpecDefinition WindowTime With WithField XmlToStructs XxHash64 Year YearOfWeek Years
        ZeroIfNull ZipWith
    """,
    "org.apache.spark.sql.catalyst.expressions.aggregate": """
        AggregateExpression AnyValue ApproxCountDistinctForIntervals ApproxTopK:4.1 ApproxTopKAccumulate:4.1
        ApproxTopKCombine:4.1 ApproximatePercentile Average BitAndAgg BitOrAgg BitXorAgg BloomFilterAggregate BoolAnd
        BoolOr CollectList CollectSet CollectTopK Corr Count CountIf CountMinSketchAgg CovPopulation CovSample First
        HistogramNumeric HllSketchAgg HllUnionAgg HyperLogLogPlusPlus KllMergeAggBigint:4.1 KllMergeAggDouble:4.1
        KllMergeAggFloat:4.1 KllSketchAggBigint:4.1 KllSketchAggDouble:4.1 KllSketchAggFloat:4.1 Kurtosis Last ListAgg
        Max MaxBy Median Min MinBy Mode NoOp PandasCovar PandasKurtosis PandasMode PandasProduct PandasSkewness
        PandasStddev PandasVariance Percentile PercentileCont PercentileDisc PivotFirst Product RegrAvgX RegrAvgY
        RegrCount RegrIntercept RegrR2 RegrReplacement RegrSXX RegrSXY RegrSYY RegrSlope Skewness StddevPop StddevSamp
        Sum ThetaIntersectionAgg:4.1 ThetaSketchAgg:4.1 ThetaUnionAgg:4.1 V2Aggregator VariancePop VarianceSamp
    """,
    "org.apache.spark.sql.catalyst.expressions.aggregation": """
        BitmapAggregator
    """,
    "org.apache.spark.sql.catalyst.expressions.objects": """
        AssertNotNull CatalystToExternalMap CreateExternalRow DecodeUsingSerializer EncodeUsingSerializer
        ExternalMapToCatalyst GetExternalRowField InitializeJavaBean Invoke LambdaVariable MapObjects NewInstance
        StaticInvoke UnresolvedCatalystToExternalMap UnresolvedMapObjects UnwrapOption ValidateExternalType WrapOption
    """,
    "org.apache.spark.sql.catalyst.expressions.st": """
        ST_AsBinary:4.1 ST_GeogFromWKB:4.1 ST_GeomFromWKB:4.1 ST_SetSrid:4.1 ST_Srid:4.1
    """,
    "org.apache.spark.sql.catalyst.expressions.variant": """
        IsVariantNull ParseJson SchemaOfVariant SchemaOfVariantAgg ToVariantObject VariantExplode VariantGet
    """,
    "org.apache.spark.sql.catalyst.expressions.xml": """
        XPathBoolean XPathDouble XPathFloat XPathInt XPathList XPathLong XPathShort XPathString
    """,
    "org.apache.spark.sql.catalyst.optimizer": """
        NormalizeNaNAndZero ScalarSubqueryReference
    """,
    "org.apache.spark.sql.catalyst.plans.logical": """
        AlterColumnSpec Assignment ColumnDefinition DefaultValueExpression DeleteAction DeltaMergeAction
        DeltaMergeIntoMatchedDeleteClause DeltaMergeIntoMatchedUpdateClause
        DeltaMergeIntoNotMatchedBySourceDeleteClause DeltaMergeIntoNotMatchedBySourceUpdateClause
        DeltaMergeIntoNotMatchedInsertClause InsertAction InsertStarAction MergeRows$Discard MergeRows$Keep
        MergeRows$Split OptionList QualifiedColType:4.1 UnresolvedTableSpec UpdateAction UpdateStarAction
    """,
    "org.apache.spark.sql.catalyst.plans.physical": """
        CoalescedHashPartitioning HashPartitioning KeyGroupedPartitioning PartitioningCollection RangePartitioning
        ShufflePartitionIdPassThrough:4.1
    """,
    "org.apache.spark.sql.classic": """
        ColumnNodeExpression
    """,
    "org.apache.spark.sql.delta": """
        CheckOverflowInTableWrite GenerateIdentityValues
    """,
    "org.apache.spark.sql.delta.constraints": """
        CheckDeltaInvariant
    """,
    "org.apache.spark.sql.delta.expressions": """
        DecodeNestedZ85EncodedVariant EncodeNestedVariantAsZ85String HilbertByteArrayIndex HilbertLongIndex
        InterleaveBits PartitionerExpr RangePartitionId
    """,
    "org.apache.spark.sql.delta.metric": """
        ConditionalIncrementMetric IncrementMetric
    """,
    "org.apache.spark.sql.delta.stats": """
        DeletedRecordCountsHistogramUtils$DeletedRecordCountsHistogramAgg FileSizeHistogramUtils$FileSizeHistogramAgg
        MaxVariantStats MinVariantStats
    """,
    "org.apache.spark.sql.execution": """
        InSubqueryExec ScalarSubquery
    """,
    "org.apache.spark.sql.execution.aggregate": """
        ComplexTypedAggregateExpression ScalaAggregator ScalaUDAF SimpleTypedAggregateExpression
    """,
    "org.apache.spark.sql.execution.datasources.parquet": """
        ScalarCastHelper
    """,
    "org.apache.spark.sql.execution.stat": """
        CollectFrequentItems
    """,
    "org.apache.spark.sql.hive": """
        HiveGenericUDF HiveGenericUDTF HiveSimpleUDF HiveUDAFFunction
    """,
}
