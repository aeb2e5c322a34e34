// What of the formats is public: folders in, dictionaries out, and the way back.
export { cantorPair, cantorUnpair } from './cantor.js';
export {
  openCircuitTracerSet,
  writeCircuitTracerSet,
  type CircuitTracerExport,
  type CircuitTracerOptions,
} from './circuit-tracer-set.js';
export {
  checkConvention,
  conformed,
  gpuReconstruction,
  requireConvention,
  type ConventionFit,
  type ConventionMargins,
  type ConventionOptions,
  type ConventionReport,
  type ConventionRows,
  type Reconstruct,
} from './convention.js';
export {
  conformedAcross,
  requireCrossLayerConvention,
  type CrossLayerConventionOptions,
  type CrossLayerConventionRows,
} from './cross-layer-convention.js';
export {
  openCrossLayerSet,
  writeCrossLayerSet,
  type CrossLayerConfig,
  type CrossLayerSet,
  type CrossLayerWeights,
  type StoredCrossLayer,
} from './cross-layer-set.js';
export {
  type DictionaryFile,
  type DictionaryFiles,
  type NamedTensor,
  type StoredTensor,
  type StoredTensors,
} from './dictionary-files.js';
export { exportGraph, graphLinks, type ExportedGraph, type GraphExport, type GraphLink } from './export-graph.js';
export { checkFeatureJson, type FeatureExample, type FeatureJson } from './feature-json.js';
export { fileGraph, fileInfluence, type FileGraph, type FileNode } from './file-graph.js';
export { openFeatureStore, writeFeatureStore, type FeatureStore } from './feature-store.js';
export {
  checkGraphJson,
  type GraphJson,
  type GraphJsonLink,
  type GraphJsonMetadata,
  type GraphJsonNode,
  type GraphJsonView,
} from './graph-json.js';
export { FEATURE_SCHEMA, GRAPH_SCHEMA } from './graph-schema.js';
export { reconstructOnHost } from './host-reconstruction.js';
export { importGraph, type FeatureNumbering, type GraphCollision, type ImportedGraph } from './import-graph.js';
export { type JsonSchema, type JsonType } from './json-schema.js';
export {
  DICTIONARY_SET_FORMAT,
  openDictionarySet,
  writeDictionarySet,
  type DictionarySet,
  type SetMember,
} from './limn-set.js';
export { CROSS_LAYER_SET_FORMAT, type CrossLayerMember } from './limn-cross-layer.js';
export { openCrossLayer, openDictionaries } from './open-dictionaries.js';
export { centredInput, centredOutput, readWithGain, readWithoutGain, type Gain } from './orientation.js';
export { openPaperFile, openPaperFiles, readPaperSparsity, writePaperFile } from './paper-pt.js';
export { openSaeLens, writeSaeLens, type SaeLensExport } from './saelens.js';
export { type SetDescription, type SetEntry, type SetModel } from './set-fields.js';
export { openSparsify, writeSparsify } from './sparsify.js';
export {
  DICTIONARY_FORMATS,
  type DictionaryConvention,
  type DictionaryFormat,
  type DictionaryProvenance,
  type LoadedDictionary,
  type PreBias,
  type StoredDictionary,
} from './stored-dictionary.js';
