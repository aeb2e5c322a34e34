// What only Node can do: models and checkpoints in folders on disk, and the cache that Hugging Face's tools share.
export { openFolder, writeAtomically } from './folder.js';
export { FolderCache } from './hub/folder-cache.js';
export { hubCacheFolder, hubEndpoint, hubOffline, hubToken } from './hub/settings.js';
export { openModel, type OpenNodeModelOptions } from './open-model-node.js';
