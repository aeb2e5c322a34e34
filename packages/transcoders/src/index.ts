// Dictionaries of MLPs: trained, evaluated, put in the place of MLPs, and read as circuits.
export {
  checkConfig,
  checkFits,
  READABLE_SITES,
  type DictionaryActivation,
  type DictionaryConfig,
  type ReadableSite,
} from './dictionary-config.js';
export { Dictionary, dictionaryShapes, type DictionaryTensorName, type DictionaryWeights } from './dictionary.js';
export {
  ActivationStream,
  streamBytes,
  type StreamPosition,
  type StreamSettings,
} from './training/activation-stream.js';
export { type TokenSource } from './training/token-source.js';
