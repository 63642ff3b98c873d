"""Operations that models of the catalogue's families may use beyond those that we export here, and why each is safe.

All of them compute values from their inputs, keep them in variables or tables of the process, or control which of them
run. None opens a file or a connection, starts Python or a graph that is data, waits for another step, or ends the
process. Left out although harmless: what only input pipelines, TPUs, queues and summaries on disk need.
"""

from collections.abc import Mapping
from types import MappingProxyType

_PURE = {
    "Arithmetic and comparisons, one element at a time.": """
        Abs Acos Acosh Add AddN AddV2 AccumulateNV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BesselI0
        BesselI0e BesselI1 BesselI1e Betainc Bitcast BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue
        Complex ComplexAbs Conj Cos Cosh Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv
        FloorMod Greater GreaterEqual Igamma Igammac Imag Inv Invert IsFinite IsInf IsNan LeftShift Less
        LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg
        NextAfter NotEqual PopulationCount Pow Real RealDiv Reciprocal RightShift Rint Round Rsqrt Select
        SelectV2 Sigmoid Sign Sin Sinh Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy
        Xlog1py Xlogy Zeta Polygamma""",
    "Activations, normalisations, convolutions, pooling: the layers of image networks.": """
        AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 Conv Conv2D Conv3D
        DepthwiseConv2dNative Dilation2D Elu FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2
        FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D L2Loss LRN LeakyRelu LogSoftmax MaxPool
        MaxPool3D MaxPoolV2 MaxPoolWithArgmax QuantizedInstanceNorm Relu Relu6 Selu Softmax
        SoftmaxCrossEntropyWithLogits Softplus Softsign SparseSoftmaxCrossEntropyWithLogits""",
    "Gradients of the above: SavedModels that can be tuned, and training graphs of TensorFlow 1, contain them.": """
        AvgPool3DGrad AvgPoolGrad BiasAddGrad BroadcastGradientArgs Conv2DBackpropFilter Conv2DBackpropFilterV2
        Conv2DBackpropInput Conv2DBackpropInputV2 Conv3DBackpropFilterV2 Conv3DBackpropInputV2
        DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Dilation2DBackpropFilter
        Dilation2DBackpropInput EluGrad FusedBatchNormGrad FusedBatchNormGradV2 FusedBatchNormGradV3 IgammaGradA
        InvGrad LRNGrad LeakyReluGrad MaxPool3DGrad MaxPoolGrad MaxPoolGradV2 MaxPoolGradWithArgmax
        MirrorPadGrad PreventGradient ReciprocalGrad Relu6Grad ReluGrad ResizeBicubicGrad ResizeBilinearGrad
        ResizeNearestNeighborGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad SoftsignGrad SqrtGrad StopGradient
        StridedSliceGrad SymbolicGradient TanhGrad TileGrad""",
    "Matrices: dense layers, attention, weights that are normalised or factored.": """
        BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Cross Einsum FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT
        IRFFT2D IRFFT3D MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2
        MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3
        MatrixSolve MatrixTriangularSolve Qr RFFT RFFT2D RFFT3D SelfAdjointEigV2 SparseMatMul Svd Diag DiagPart""",
    "Reductions, sorting, counting.": """
        All Any ArgMax ArgMin Bincount Bucketize Cumprod Cumsum CumulativeLogsumexp DenseBincount EuclideanNorm
        HistogramFixedWidth InTopK InTopKV2 LowerBound Max Mean Min NthElement Prod SegmentMax SegmentMean
        SegmentMin SegmentProd SegmentSum Sum TopK TopKV2 Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2
        UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound ApproxTopK""",
    "Shapes, slices, placement of values in tensors.": """
        BatchToSpace BatchToSpaceND BroadcastArgs BroadcastTo Concat ConcatOffset ConcatV2 ConjugateTranspose
        Const DataFormatDimMap DataFormatVecPermute DeepCopy DepthToSpace DynamicPartition DynamicStitch Empty
        EnsureShape ExpandDims ExtractImagePatches ExtractVolumePatches Fill Gather GatherNd GatherV2
        GuaranteeConst Identity IdentityN InplaceAdd InplaceSub InplaceUpdate InvertPermutation LinSpace
        ListDiff MirrorPad OneHot OnesLike Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Placeholder
        PlaceholderV2 PlaceholderWithDefault Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd
        ScatterNdNonAliasingAdd Shape ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND SpaceToDepth Split
        SplitV Squeeze StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
        TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unpack UnravelIndex Where ZerosLike""",
    "Images: decoded from the bytes that a request brings, resized, changed in colour, cut.": """
        AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression CropAndResize DecodeAndCropJpeg
        DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw DecodeWebP
        DrawBoundingBoxesV2 EncodeBase64 EncodeJpeg EncodePng ExtractGlimpse ExtractGlimpseV2 ExtractJpegShape
        HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppression NonMaxSuppressionV2
        NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5 RGBToHSV RandomCrop ResizeArea ResizeBicubic
        ResizeBilinear ResizeNearestNeighbor SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
        ScaleAndTranslate ScaleAndTranslateGrad StatelessSampleDistortedBoundingBox""",
    "Control flow, and functions of the same library.": """
        Assert Case CheckNumerics CheckNumericsV2 ControlTrigger EmptyTensorList Enter Exit FakeParam For If
        LoopCond Merge NextIteration NoOp PartitionedCall StatefulPartitionedCall StatelessCase StatelessIf
        StatelessWhile Switch TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayGradV3
        TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
        TensorArrayWriteV3 TensorListConcatV2 TensorListElementShape TensorListFromTensor TensorListGather
        TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack TensorListReserve
        TensorListResize TensorListScatter TensorListScatterIntoExistingList TensorListScatterV2
        TensorListSetItem TensorListSplit TensorListStack ToBool While RefEnter RefExit RefIdentity RefMerge
        RefNextIteration RefSelect RefSwitch DeviceIndex""",
    "Variables of the process: weights, moving averages, what an optimizer keeps.": """
        Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp DestroyResourceOp
        DisableCopyOnRead IsVariableInitialized ReadVariableOp ResourceGather ResourceGatherNd
        ResourceScatterAdd ResourceScatterSub ResourceScatterUpdate ScatterAdd ScatterNdAdd ScatterNdUpdate
        ScatterSub ScatterUpdate VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
        ApplyGradientDescent ApplyMomentum ApplyRMSProp ApplyAdam ResourceApplyAdam ResourceApplyGradientDescent
        ResourceApplyKerasMomentum ResourceApplyMomentum ResourceApplyRMSProp""",
    "Random numbers: dropout, stochastic depth and augmentation, initial weights.": """
        Multinomial ParameterizedTruncatedNormal RandomGamma RandomPoissonV2 RandomShuffle RandomStandardNormal
        RandomUniform RandomUniformInt RngReadAndSkip RngSkip StatefulStandardNormalV2 StatefulTruncatedNormal
        StatefulUniform StatefulUniformFullInt StatefulUniformInt StatelessMultinomial StatelessRandomGetAlg
        StatelessRandomGetKeyCounter StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform
        StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
        StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
        StatelessTruncatedNormalV2 TruncatedNormal""",
    "Names of classes: texts, and tables that are filled from constants, never from a file.": """
        AnonymousHashTable AsString HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableExportV2
        LookupTableFind LookupTableFindV2 LookupTableImport LookupTableImportV2 LookupTableSize
        LookupTableSizeV2 MutableHashTable MutableHashTableV2 RegexFullMatch RegexReplace ShardedFilename
        StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower StringSplitV2
        StringStrip StringToHashBucketFast StringToNumber StringUpper Substr""",
    "Requests of TensorFlow Serving's tf.Example form: fields of a message that the request brings.": """
        ParseExample ParseExampleV2 ParseSingleExample""",
    "Numbers in fewer bits: networks that were trained for them.": """
        Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVars
        FakeQuantWithMinMaxVarsGradient FakeQuantWithMinMaxVarsPerChannel
        FakeQuantWithMinMaxVarsPerChannelGradient QuantizeAndDequantize QuantizeAndDequantizeV2
        QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd
        QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedConv2D QuantizedMatMul QuantizedMaxPool
        QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape QuantizedResizeBilinear RequantizationRange
        Requantize""",
    "Tensors with few values, or with rows of several lengths.": """
        RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
        RaggedTensorToVariant SparseConcat SparseFillEmptyRows SparseReorder SparseReshape SparseSegmentMean
        SparseSegmentSqrtN SparseSegmentSum SparseSlice SparseSoftmax SparseTensorDenseMatMul SparseToDense""",
    "Training graphs of TensorFlow 1's modules: sums over replicas, which are one here, and summaries as values.": """
        AudioSummaryV2 CrossReplicaSum HistogramSummary ImageSummary MergeSummary ScalarSummary TensorSummary
        TensorSummaryV2""",
}
PURE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {reason: tuple(names.split()) for reason, names in _PURE.items()}
)
"""Reason to the operations."""
