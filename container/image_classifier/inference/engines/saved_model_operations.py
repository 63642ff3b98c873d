"""Refuse SavedModels whose graphs touch files, sockets or Python: a model is a program, and nobody reviewed it."""

from pathlib import Path

from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import tensorflow

UNSAFE_OPERATIONS = frozenset(
    {
        # Python of the process that runs the graph.
        *("PyFunc", "PyFuncStateless", "EagerPyFunc"),
        # Any file by name. Not SaveV2, RestoreV2, MergeV2Checkpoints: the saver in every SavedModel has them.
        *("ReadFile", "WriteFile", "MatchingFiles", "ImmutableConst", "LoadAndRemapMatrix", "GenerateVocabRemapping"),
        *("InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "FileSystemSetConfiguration", "LoadLibrary"),
        *("WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader"),
        *("TFRecordReaderV2", "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader"),
        *("TextLineDataset", "TFRecordDataset", "TFRecordDatasetV2", "FixedLengthRecordDataset"),
        *("FixedLengthRecordDatasetV2", "CSVDataset", "CSVDatasetV2", "ExperimentalCSVDataset", "LMDBDataset"),
        *("ExperimentalLMDBDataset", "SqlDataset", "ExperimentalSqlDataset", "MatchingFilesDataset"),
        *("ExperimentalMatchingFilesDataset", "CacheDataset", "CacheDatasetV2", "SnapshotDataset", "SnapshotDatasetV2"),
        *("SaveDataset", "SaveDatasetV2", "LoadDataset", "DistributedSave"),
        # Operations that write where an attribute tells them to.
        *("PrintV2", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount", "DebugNumericSummary"),
        *("DebugNumericSummaryV2", "CreateSummaryFileWriter", "CreateSummaryDbWriter", "SummaryWriter"),
        # Protocol definitions that are read from a file.
        *("DecodeProtoV2", "EncodeProto"),
        # Other machines.
        *("RpcServer", "RpcClient", "RpcCall", "DataServiceDataset", "DataServiceDatasetV2", "DataServiceDatasetV3"),
        *("DataServiceDatasetV4", "RegisterDataset", "RegisterDatasetV2", "RemoteCall"),
    }
)


def refuse_unsafe_operations(folder: Path, trust: bool) -> None:
    """Look through the graphs and the function library of a SavedModel.

    Args:
        folder: The folder that holds saved_model.pb.
        trust: Accept file and Python operations; operations that this TensorFlow lacks are refused all the same.

    Raises:
        UserError: saved_model.pb cannot be read, needs an operation that is not part of this TensorFlow (a custom
            operation's library, or a newer release), or has unsafe operations and is not trusted.
    """
    used = tensorflow.operations_in(folder)
    unknown = sorted(name for name in used if not tensorflow.is_registered(name))
    if unknown:
        raise UserError(
            f"{folder} needs operations that TensorFlow {tensorflow.VERSION} does not have: {_listed(unknown)}. "
            "Custom operation libraries are never loaded; save the model without them, or with an older TensorFlow."
        )
    unsafe = sorted(used & UNSAFE_OPERATIONS)
    if unsafe and not trust:
        raise UserError(
            f"{folder} is refused: it contains operations that reach files, the network or Python ({_listed(unsafe)}). "
            "If you trust whoever made it, set the hyperparameter trust_model=True for training or the environment "
            "variable SERVE_TRUST_MODEL=true for serving."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
