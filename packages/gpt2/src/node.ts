// What only Node can do: models and checkpoints in folders on disk.
export { openFolder, writeAtomically } from './folder.js';
