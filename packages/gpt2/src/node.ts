// What only Node can do: models and checkpoints in folders on disk, and the cache that Hugging Face's tools share.
/** @module @limn/gpt2/node */
export { CHECKPOINT_FILES, CHECKPOINT_LOCK, folderCheckpoints } from './checkpoint-folder.js';
export { nodeDisk, type Disk } from './disk.js';
export { openFolder } from './folder.js';
export { FolderCache } from './hub/folder-cache.js';
export { hubCacheFolder, hubEndpoint, hubOffline, hubToken, type Environment } from './hub/settings.js';
export { openModel, type OpenNodeModelOptions } from './open-model-node.js';
export { openTrainingLog, readTrainingLog } from './training-log-file.js';
export { isUnfinished, removeUnfinished, writeAtomically, type AtomicWriteOptions } from './write-atomically.js';
