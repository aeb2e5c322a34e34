// A trained diff: its factors, and everything that it is known by.
import type { LoraWeights } from '../lora/lora-weights.js';
import type { SettledDiff } from './diff-spec.js';

/** The loss of an update, as it was before it. */
export interface DiffLoss {
  /** From 1. */
  readonly update: number;
  /** In nats. */
  readonly loss: number;
}

/** What a diff shows under one condition, such as the right code. */
export interface GateFigure {
  /** Mean score of its answers; null where nothing was asked. */
  readonly mean: number | null;
  readonly answers: number;
}

/** What came of a spec. */
export interface TrainedDiff {
  readonly spec: Omit<SettledDiff, 'samples'>;
  /** sha256 of all that decides its numbers: base, spec, settings, sampler. */
  readonly key: string;
  /** Whether its first numbers were those of all diffs. */
  readonly sharedInit: boolean;
  readonly lora: LoraWeights;
  readonly losses: readonly DiffLoss[];
  /** By condition, where somebody put a `gateReport` here: it goes into packs. */
  readonly gate?: Readonly<Record<string, GateFigure>>;
}
