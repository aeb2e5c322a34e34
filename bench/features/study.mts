// The shape of what bench/features.mts measures: per case what the graphs say, which features and heads are found, and what happens when they are set.
import type { EffectSummary, GraphScores } from '@limn/transcoders';
import type { CaseId } from './cases.mjs';

/** A feature by its layer. */
export interface FeatureAt {
  readonly layer: number;
  readonly feature: number;
}

/**
 * By what units are ranked, each by the size of its mean over the pairs that circuits are found on:
 * - `graph`: what the graphs of both prompts say that the answer loses when the feature becomes what it is in the other prompt;
 * - `attribution`: what the clean prompts' graphs say that it gives to the answer, with no other prompt to compare with;
 * - `variance`: how much its direct contribution varies over prompts, as in the paper (variance, not mean);
 * - `gradient`: as `graph`, by the gradient of the model with attention live;
 * - `change`: how much what it writes changes between the prompts, wherever that leads;
 * - `random, as active` and `random, as changing`: drawn among those nearest to the first ranking's by activation, or by `change`;
 * - `neurons`: of the MLPs themselves, by `gradient`.
 */
export const RANKINGS = [
  'graph',
  'attribution',
  'variance',
  'gradient',
  'change',
  'random, as active',
  'random, as changing',
  'neurons',
] as const;
export type Ranking = (typeof RANKINGS)[number];

/** What setting the first n units of a ranking does. */
export interface SizeFinding {
  readonly n: number;
  /** Shares of the clean prompt's metric, as far as it differs from the corrupted one's, per draw where there are several. */
  readonly lost: readonly number[];
  readonly kept: readonly number[];
}

export interface TrialFinding {
  readonly name: string;
  readonly about: string;
  readonly metric: { readonly clean: number; readonly corrupted: number };
  /** All features set to the other prompt's, with and without the circuit's heads; the circuit alone, with its heads and with all heads. */
  readonly circuit: {
    readonly lost: number;
    readonly lostWithHeads: number;
    readonly headsLost: number;
    readonly kept: number;
    readonly keptWithHeads: number;
    /** As changing, per draw. */
    readonly random: { readonly lost: readonly number[]; readonly keptWithHeads: readonly number[] };
    readonly asActive: readonly number[];
  };
  /** Every feature that there is: what the dictionaries miss is what is left. */
  readonly allFeatures: { readonly lost: number; readonly kept: number };
  readonly curves: Readonly<Partial<Record<Ranking, readonly SizeFinding[]>>>;
}

/** One feature of the circuit. */
export interface FoundFeature extends FeatureAt {
  /** Mean over pairs: of `graph` and `attribution`, in units of the answers' mean logit difference. */
  readonly effect: number;
  readonly attribution: number;
  /** Where its effect is: role of the token and the share of the effect's size. */
  readonly roles: readonly { readonly role: string; readonly share: number }[];
  /** Mean activation, at the role of the largest share, in two kinds of prompts: see `ACTIVATION_OF`. */
  readonly activation: readonly [number, number];
  /** Tokens that it fires on most, as a share of its firing in the corpus; logits that it raises and lowers most. */
  readonly firesOn: readonly string[];
  readonly raises: readonly string[];
  readonly lowers: readonly string[];
}

export interface HeadFinding {
  readonly layer: number;
  readonly head: number;
  /** Share of the metric lost when the head alone is set to what it is in the corrupted prompt. */
  readonly lost: number;
  /** Mean attention from the last token to the token that corruption changes, and to one like it. */
  readonly attention: number;
  readonly attentionToDistractor: number | null;
  /** Mean of ‖C(γ∘W_V·W_O·f)‖ over what the circuit's last features read: how much of them the head can carry. */
  readonly carries: number | null;
}

/** The graph of one prompt, as its drawing has it. */
export interface DrawnGraph {
  readonly prompt: readonly string[];
  readonly layers: number;
  readonly nodes: readonly {
    readonly name: string;
    readonly kind: 'feature' | 'error' | 'token' | 'position' | 'output';
    readonly layer: number;
    readonly position: number;
    readonly inCircuit: boolean;
  }[];
  /** Source and target as places in `nodes`, and the weight. */
  readonly edges: readonly (readonly [source: number, target: number, weight: number])[];
  readonly threshold: number;
  readonly output: string;
}

export interface PathFinding {
  readonly path: string;
  readonly attribution: number;
}

/** Agreement of what graphs predict and what is measured, over some prompts. */
export interface AgreementFinding {
  readonly group: 'strongest' | 'matched';
  readonly mode: 'attention held' | 'as it is';
  readonly rows: readonly (EffectSummary & { readonly size: number })[];
}

/** One feature of one prompt negated: what the graph predicts of the output, and what happens with attention held and as it is. */
export type CheckPoint = readonly [group: 0 | 1, predicted: number, held: number, free: number];

export interface GraphFindings {
  readonly prompts: number;
  /** Means over the clean prompts. */
  readonly whole: GraphScores & { readonly features: number; readonly edges: number };
  readonly pruned: readonly (GraphScores & {
    readonly threshold: number;
    readonly features: number;
    readonly errors: number;
    readonly edges: number;
    /** Share of the circuit's features that fire which pruning keeps. */
    readonly circuit: number;
  })[];
  /** Σ|T| of errors against that of features: how much of the output hangs on what the dictionaries miss. */
  readonly worstResidual: number;
}

/** Of greater-than: what features are by year. */
export interface YearCurves {
  readonly heads: readonly { readonly layer: number; readonly head: number }[];
  readonly starts: readonly number[];
  readonly features: readonly (FeatureAt & {
    /** Where it is looked at. */
    readonly role: string;
    readonly activation: readonly number[];
    /** Direct logits of 00 … 99. */
    readonly writes: readonly number[];
    /** What weights alone say of each start 00 … 99: at its own token, or through heads at the start. */
    readonly reads: readonly number[];
    /** Pearson of `reads` and the activation over the starts. */
    readonly correlation: number | null;
  })[];
}

/** Of agreement: why a head looks at the subject and not at the attractor, by kind of source. */
export interface LookingFinding {
  readonly layer: number;
  readonly head: number;
  readonly prompts: number;
  readonly score: { readonly source: number; readonly distractor: number };
  /** Σ of key terms by kind of source, subject less attractor; means over prompts. */
  readonly terms: readonly { readonly kind: string; readonly value: number }[];
  /** Features whose part is largest. */
  readonly features: readonly (FeatureAt & { readonly value: number })[];
  /** Mean attention to the subject where another document stands in front. */
  readonly attention: { readonly alone: number; readonly behindAnother: number };
}

export interface ModelFinding {
  readonly metric: { readonly clean: number; readonly corrupted: number };
  readonly replaced: { readonly all: number; readonly layers: readonly number[] };
  readonly zeroed: readonly number[];
}

export interface CaseFinding {
  readonly id: CaseId;
  readonly find: number;
  readonly model: ModelFinding;
  readonly example: {
    readonly text: string;
    readonly corrupted: string;
    readonly up: readonly string[];
    readonly down: readonly string[];
  };
  readonly paths: readonly PathFinding[];
  readonly graphs: GraphFindings;
  readonly drawn: DrawnGraph;
  readonly features: readonly FoundFeature[];
  readonly heads: readonly HeadFinding[];
  /** Heads of the circuit. */
  readonly circuitHeads: readonly { readonly layer: number; readonly head: number }[];
  /** Spearman between rankings' scores over features that fire. */
  readonly rankings: Readonly<Partial<Record<Ranking, { readonly spearman: number | null; readonly shared: number }>>>;
  /** Median over the circuit of what a random feature has of the quantity that it is like in, as a share of what the circuit's has. */
  readonly likeness: { readonly active: number; readonly changing: number };
  readonly trials: readonly TrialFinding[];
  readonly agreement: readonly AgreementFinding[];
  readonly points: readonly CheckPoint[];
  readonly frozen: number;
  readonly years?: YearCurves;
  readonly looking?: LookingFinding;
  readonly seconds: number;
}

export interface FeatureStudy {
  readonly study: 'limn.features';
  readonly version: 1;
  readonly adapter: string;
  readonly limn: string;
  readonly model: { readonly name: string; readonly weightsSha256: string };
  readonly transcoders: { readonly sha256: string; readonly words: string };
  readonly settings: {
    readonly find: number;
    readonly trial: number;
    readonly checked: number;
    readonly draws: number;
  };
  readonly cases: readonly CaseFinding[];
}
