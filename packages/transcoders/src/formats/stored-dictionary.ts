// What a file of any format comes to: a config, numbers in limn's orientation, and what the file says about where they belong.
import type { DictionaryConfig } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';

/** The formats that can be read. */
export const DICTIONARY_FORMATS = ['limn', 'saelens', 'circuit-tracer', 'sparsify', 'transcoder-circuits'] as const;

/** One of `DICTIONARY_FORMATS`; `transcoder-circuits` is the `.pt` of arXiv 2406.11944. */
export type DictionaryFormat = (typeof DICTIONARY_FORMATS)[number];

/**
 * What a dictionary expects of the activations that it is given; a wrong one raises no error and spoils every number.
 * - `gain`: it reads what LayerNorm's γ and β made of x̂ (`kept`: u = γ∘x̂ + β, as in a model as it is published), or x̂ itself (`folded`:
 *   a model whose LayerNorm was folded into the next weights).
 * - `output`: it gives the MLP's output as it is (`plain`), or less its mean over the width (`centred`: a model with centred weights).
 * - `preBias`: a bias is `subtracted` from its input, or `none`.
 * - `bos`: texts of its training began with a token of their own.
 */
export interface DictionaryConvention {
  readonly gain: 'kept' | 'folded';
  readonly output: 'plain' | 'centred';
  readonly preBias: 'none' | 'subtracted';
  readonly bos: boolean;
}

/** Where a dictionary comes from. */
export interface DictionaryProvenance {
  readonly format: DictionaryFormat;
  /** The file that holds its numbers. */
  readonly file: string;
  /** The model as the file names it. */
  readonly model?: string;
  /** Hook names as the file has them. */
  readonly reads: string;
  readonly writes: string;
  /** What the file says or its format always means; what is missing here, nobody said. */
  readonly expects: Partial<DictionaryConvention>;
  /** What reading changed or took for granted, in sentences. */
  readonly notes: readonly string[];
  /** What the file tells about its training, as it tells it. */
  readonly training?: Readonly<Record<string, unknown>>;
}

/** A bias that may be subtracted from the input: in `weights.bEnc` already, or not. */
export interface PreBias {
  /** [I] */
  readonly values: Float32Array;
  /** Whether `weights.bEnc` is b_enc − values·W_encᵀ. */
  readonly folded: boolean;
}

/** A dictionary with its numbers. */
export interface LoadedDictionary {
  readonly config: DictionaryConfig;
  readonly weights: DictionaryWeights;
  readonly provenance: DictionaryProvenance;
  /** Of formats that have a bias of the input's width. */
  readonly preBias?: PreBias;
}

/** A dictionary of which only the config was read. */
export interface StoredDictionary {
  readonly config: DictionaryConfig;
  readonly provenance: DictionaryProvenance;
  /** Reads the numbers: some 150 MB for a layer of GPT-2 small. Every number is finite. */
  read(): Promise<LoadedDictionary>;
}
