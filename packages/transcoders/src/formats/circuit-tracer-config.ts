// config.yaml of circuit-tracer: what kind of set, which hooks, which files; a flat YAML, each field checked.
import { LimnError } from '@limn/gpu';
import { CheckedFields } from '@limn/hooks';
import { parseDocument } from 'yaml';
import type { ReadableSite } from '../dictionary-config.js';
import { isReadable, siteOf } from './hook-places.js';
import type { DictionaryConvention } from './stored-dictionary.js';

/** What a config.yaml says. */
export interface CircuitTracerConfig {
  readonly kind: 'transcoder_set' | 'cross_layer_transcoder';
  readonly model?: string;
  readonly input: ReadableSite;
  /** Hook names as the file has them, without their block. */
  readonly reads: string;
  readonly writes: string;
  /** A file or an address for each layer; where it is missing, files are `layer_{i}.safetensors`. */
  readonly transcoders?: readonly string[];
  readonly activation?: 'relu' | 'topk';
  readonly k?: number;
  /** The name under which feature pages are found. */
  readonly scan?: string;
}

/** circuit-tracer takes models as they are published, puts a special token first and leaves that position out. */
export const CIRCUIT_TRACER_EXPECTS: DictionaryConvention = {
  gain: 'kept',
  output: 'plain',
  preBias: 'none',
  bos: true,
};

/** The fields of a circuit-tracer folder. */
export const circuitTracerFields = new CheckedFields(
  'data/dictionary-circuit-tracer',
  'The circuit-tracer folder',
  'Give a folder with the config.yaml and the safetensors files that circuit-tracer reads, downloaded.',
);

const MOST_FEATURES = 2 ** 24;
/** Bytes of a config.yaml: addresses of a hundred layers are a tenth of it. */
export const MOST_YAML_BYTES = 2 ** 16;
/** Brackets of a text, and signs that open a list or a key at the front of a line: nesting, of which a flat config has hardly any. */
const MOST_BRACKETS = 16;
const MANY_SIGNS = /^[ \t]*(?:[-?][ \t]+){8}/m;

/**
 * Reads the text of a config.yaml. Anchors, tags and repeated keys are refused: such a config has none.
 * @throws LimnError `data/dictionary-circuit-tracer`, naming the field, what it holds and what is allowed
 */
export function readCircuitTracerConfig(text: string): CircuitTracerConfig {
  const fields = circuitTracerFields;
  const config = fields.record(plain(text), 'config.yaml');
  const kind = fields.oneOf(config.model_kind, 'model_kind', ['transcoder_set', 'cross_layer_transcoder']);
  const reads = fields.text(config.feature_input_hook, 'feature_input_hook');
  const writes = fields.text(config.feature_output_hook, 'feature_output_hook');
  const input = siteOf(reads);
  if (!input || !isReadable(input) || input === 'hook_mlp_out')
    throw fields.refuse('feature_input_hook', reads, 'hook_resid_mid, hook_mlp_in, ln2.hook_normalized or mlp.hook_in');
  if (siteOf(writes) !== 'hook_mlp_out')
    throw fields.refuse('feature_output_hook', writes, 'hook_mlp_out or mlp.hook_out');
  const { model_name: model, scan, transcoders, activation, k } = config;
  return {
    kind,
    input,
    reads,
    writes,
    ...(typeof model === 'string' ? { model } : {}),
    ...(typeof scan === 'string' ? { scan } : {}),
    ...(isGiven(transcoders) ? { transcoders: fields.texts(transcoders, 'transcoders') } : {}),
    ...(isGiven(activation) ? { activation: fields.oneOf(activation, 'activation', ['relu', 'topk']) } : {}),
    ...(isGiven(k) ? { k: fields.whole(k, 'k', 1, MOST_FEATURES) } : {}),
  };
}

/** The text of a config.yaml: strings in JSON's quotes, which are YAML's too. */
export function circuitTracerConfigText(config: Readonly<Record<string, string | number>>): string {
  return Object.entries(config)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function plain(text: string): unknown {
  const problem = (cause: unknown): Error =>
    circuitTracerFields.refuse('config.yaml', text, 'plain YAML without anchors and tags', cause);
  try {
    // The parser calls itself for every level, and a few thousand levels end not in an error but the process.
    if (text.length > MOST_YAML_BYTES || text.replace(/[^[{]/g, '').length > MOST_BRACKETS || MANY_SIGNS.test(text))
      throw problem('nested lists');
    const document = parseDocument(text, { schema: 'core', uniqueKeys: true, stringKeys: true, customTags: [] });
    const [fault] = [...document.errors, ...document.warnings];
    if (fault) throw fault;
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw cause instanceof LimnError ? cause : problem(cause);
  }
}
