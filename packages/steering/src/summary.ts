// Figures over prompts: how often steering works, by how much, and what it costs the rest of the distribution.
import type { SteeredExample, SteeredOutcome } from './evaluate.js';

/** When steering a prompt counts as a success: at both strengths +1 and −1. */
export interface SuccessRule {
  /** β Δ_β of at least so many logits. Default 2. */
  readonly margin?: number;
  /** p(c) + p(w) of at least this share of the untouched model's. Default .8. */
  readonly massShare?: number;
  /** KL with the answers as one outcome of at most so many nats. Default .1. */
  readonly drift?: number;
}

/** Figures at one strength. */
export interface StrengthFigures {
  readonly strength: number;
  /** Mean β Δ_β (of Δ at β = 0), and the shares of prompts with β Δ_β > 0 and ≥ margin. */
  readonly effect: number;
  readonly flipped: number;
  readonly marginReached: number;
  /** Means. */
  readonly bucket: number;
  readonly rest: number;
  readonly massDrift: number;
  readonly sameTopOther: number;
}

/** Figures over prompts. */
export interface SteeringFigures {
  readonly examples: number;
  readonly strengths: readonly StrengthFigures[];
  /** Shares of prompts at which both β = +1 and −1 do it. */
  readonly twoWayFlip: number;
  readonly twoWayMargin: number;
  readonly twoWaySuccess: number;
  /** Mean Δ_{+1} − Δ_{−1}. */
  readonly shift: number;
  /** Mean KL over both strengths. */
  readonly drift: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = (values: readonly boolean[]): number => mean(values.map(Number));

/** Whether a prompt is a success at one strength. */
export function isSuccess(
  { strength, delta, bucket, mass, untouchedMass }: SteeredOutcome,
  { margin = 2, massShare = 0.8, drift = 0.1 }: SuccessRule = {},
): boolean {
  return Math.sign(strength) * delta >= margin && mass >= massShare * untouchedMass && bucket <= drift;
}

/** Figures over prompts measured at the same strengths; those of two ways are over β = +1 and −1, NaN where one was not measured. */
export function summarise(measured: readonly SteeredExample[], rule: SuccessRule = {}): SteeringFigures {
  const { margin = 2 } = rule;
  const strengths = measured[0]?.outcomes.map(({ strength }) => strength) ?? [];
  const at = (i: number): SteeredOutcome[] => measured.map(({ outcomes }) => outcomes[i] as SteeredOutcome);
  const figures = strengths.map((strength, i): StrengthFigures => {
    const outcomes = at(i);
    const signed = outcomes.map(({ delta }) => (strength < 0 ? -delta : delta));
    return {
      strength,
      effect: mean(signed),
      flipped: share(signed.map((value) => value > 0)),
      marginReached: share(signed.map((value) => value >= margin)),
      bucket: mean(outcomes.map(({ bucket }) => bucket)),
      rest: mean(outcomes.map(({ rest }) => rest)),
      massDrift: mean(outcomes.map(({ mass, untouchedMass }) => Math.abs(mass - untouchedMass))),
      sameTopOther: share(outcomes.map(({ sameTopOther }) => sameTopOther)),
    };
  });
  const [up, down] = [strengths.indexOf(1), strengths.indexOf(-1)];
  const pairs =
    up < 0 || down < 0
      ? []
      : measured.map(({ outcomes }) => [outcomes[up], outcomes[down]] as [SteeredOutcome, SteeredOutcome]);
  const both = (holds: (outcome: SteeredOutcome) => boolean): number => share(pairs.map((pair) => pair.every(holds)));
  return {
    examples: measured.length,
    strengths: figures,
    twoWayFlip: both(({ strength, delta }) => strength * delta > 0),
    twoWayMargin: both(({ strength, delta }) => strength * delta >= margin),
    twoWaySuccess: both((outcome) => isSuccess(outcome, rule)),
    shift: mean(pairs.map(([plus, minus]) => plus.delta - minus.delta)),
    drift: mean(pairs.flatMap((pair) => pair.map(({ bucket }) => bucket))),
  };
}
