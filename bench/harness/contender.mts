// What a bench measures: a job, and those who can do it. Runs in Node and in browsers.

/** What one run of a job computes and moves; either may be absent where it says nothing. */
export interface Work {
  /** Floating-point operations. */
  readonly flops?: number;
  /** Bytes that must be read and written at the least. */
  readonly bytes?: number;
  /** Tokens that it is trained on, where that is what one asks for. */
  readonly tokens?: number;
}

/** One way of doing a job, set up and ready to run. */
export interface Contender {
  /** 'limn', or a peer with its version: 'onnxruntime webgpu 1.30.0'. */
  readonly name: string;
  /** Does the job `count` times, one after another, and resolves when the device has finished the last one. */
  run(count: number): Promise<void>;
  /** What the job gives, row-major: checked before anything is timed. */
  result(): Promise<Float32Array>;
  /** Does the job `count` times; mean GPU milliseconds of one, by timestamps. Absent where there are none. */
  gpuMilliseconds?(count: number): Promise<number>;
  /** CPU milliseconds of the whole last `run`, where another process did it. */
  lastCpuMilliseconds?(): number;
  /** The GPU programs that the last run used, where they are known. */
  programs?(): readonly string[];
  /** Frees what was set up. */
  dispose(): void | Promise<void>;
}

/** Somebody else who can do some of the jobs: another library on the same adapter, or on the CPU. */
export interface Peer {
  /** With its version: 'jax-js 0.1.25'. */
  readonly name: string;
  /** Sets up a job, or undefined where this peer cannot do it. */
  prepare(spec: JobSpec): Promise<Contender | undefined>;
  /** Ends what `prepare` started. */
  close(): void | Promise<void>;
}

/** Opens a peer, or says what is missing and how to get it. */
export type OpenPeer = () => Promise<Peer | { readonly missing: string }>;

/** c [m, n] = a [m, k] · b [k, n] */
export interface MatmulSpec {
  readonly kind: 'matmul';
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** y [rows, width] of x [rows, width]: LayerNorm with gamma and beta [width] (ε = 1e-5), softmax over rows, or gelu in GPT-2's tanh form. */
export interface RowSpec {
  readonly kind: 'layernorm' | 'softmax' | 'gelu';
  readonly rows: number;
  readonly width: number;
  readonly x: Float32Array;
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
}

/** The weights of one GPT-2 block; matrices as GPT-2 stores them, [in, out]. C = width. */
export interface BlockWeights {
  /** ln_1 and ln_2, [C] each. */
  readonly gamma1: Float32Array;
  readonly beta1: Float32Array;
  readonly gamma2: Float32Array;
  readonly beta2: Float32Array;
  /** c_attn: [C, 3C] and [3C]: queries, keys, values side by side, heads side by side in each. */
  readonly attentionIn: Float32Array;
  readonly attentionInBias: Float32Array;
  /** attn.c_proj: [C, C] and [C]. */
  readonly attentionOut: Float32Array;
  readonly attentionOutBias: Float32Array;
  /** mlp.c_fc: [C, 4C] and [4C]. */
  readonly mlpIn: Float32Array;
  readonly mlpInBias: Float32Array;
  /** mlp.c_proj: [4C, C] and [C]. */
  readonly mlpOut: Float32Array;
  readonly mlpOutBias: Float32Array;
}

/** GPT-2's blocks alone, without embedding, final LayerNorm and unembedding: x [tokens, width] → [tokens, width], causal, gelu in tanh form. */
export interface TrunkSpec {
  readonly kind: 'trunk';
  readonly heads: number;
  readonly width: number;
  readonly tokens: number;
  readonly blocks: readonly BlockWeights[];
  readonly x: Float32Array;
}

/**
 * One more token through GPT-2's blocks, with the keys and values of `past` tokens before it at hand: x [1, width] → [1, width].
 * `keys` and `values` of each block are [past, heads, width / heads].
 */
export interface DecodeSpec {
  readonly kind: 'decode';
  readonly heads: number;
  readonly width: number;
  readonly past: number;
  readonly blocks: readonly BlockWeights[];
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly x: Float32Array;
}

/** A job that peers may also be able to do, with its inputs. */
export type JobSpec = MatmulSpec | RowSpec | TrunkSpec | DecodeSpec;
