// What explains the values of the steering sample, from a fixed seed: every number is of the shape and size that measures of a small model have.
import type { SteeringRecord } from '../src/index.js';

type Explanations = Required<Pick<SteeringRecord, 'interactions' | 'hierarchy' | 'attention' | 'splits' | 'influence'>>;
type Grid = NonNullable<SteeringRecord['grid']>;

const HEADS = 4;

/** `say` passes every free text, `next` gives numbers in [0, 1). */
export function explanationsOf(
  { sites, layers, positions, values }: Grid,
  prompts: SteeringRecord['prompts'],
  say: (original: string) => string,
  next: () => number,
): Explanations {
  const [L, P] = [layers.length, positions.length];
  const around = (scale: number): number => scale * (next() + next() + next() - 1.5);
  const largest = [...values.keys()]
    .filter((at) => values[at])
    .sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0))
    .slice(0, 10);
  const pairs = largest.flatMap((_, i) =>
    largest.slice(i + 1).map((__, n) => ({ i, j: i + 1 + n, value: around(0.5), error: 0.05 + 0.1 * next() })),
  );
  const last = P - 1;
  const tokens = prompts[0]?.tokens.length ?? 0;
  const shares = (): number[] => {
    const weights = Array.from({ length: tokens }, () => next() ** 6);
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  };
  const site = sites[0] ?? '';
  const cellTerms = largest.slice(0, 4).map((at) => ({
    level: 'cell' as const,
    site: sites[Math.floor(at / (L * P))] ?? '',
    layer: layers[Math.floor(at / P) % L] ?? 0,
    position: positions[at % P] ?? '',
    value: (values[at] ?? 0) * 0.8,
  }));
  const example = (alignment: number | null) => ({
    text: say('The capital of Japan is Cairo. Q: What is the capital of Japan? A:'),
    correct: say(' Tokyo'),
    wrong: say(' Cairo'),
    alignment,
    norm: 0.2 + next(),
  });
  return {
    interactions: {
      strength: 1,
      examples: 40,
      cells: largest.map((cell) => ({ cell })),
      single: largest.map((at) => 1.4 * (values[at] ?? 0) + around(0.2)),
      pairs,
    },
    hierarchy: {
      penalty: 0.081,
      explained: 0.968,
      explainedAbove: 0.54,
      terms: [
        { level: 'layer', site, layer: layers[0] ?? 0, value: -0.12 },
        { level: 'role', site, position: say('last'), value: 0.46 },
        ...cellTerms,
      ],
      summary: sites.map((each) => say(`${each}: position '17' in every layer (+0.46); 3 finer terms`)),
    },
    attention: [0, 0, 1].map((prompt, n) => ({
      prompt,
      layer: 1 + (n % 2),
      strength: 1,
      heads: Array.from({ length: HEADS }, (_, head) => {
        const [before, after] = [shares(), shares()];
        const change = before.map((share, t) => (0.2 + 0.2 * head) * ((after[t] ?? 0) - share));
        return { head, moved: change.reduce((sum, by) => sum + Math.abs(by), 0) / 2, before, change };
      }),
    })),
    splits: [0, 1].map((prompt) => {
      const heads = Array.from({ length: HEADS }, (_, head) => {
        const sources = Array.from({ length: tokens }, () => around(1) * next() ** 3);
        return { head, value: sources.reduce((a, b) => a + b, 0), sources };
      });
      const bias = around(0.1);
      return {
        prompt,
        cell: Math.min(2, L - 1) * P + last,
        total: heads.reduce((sum, { value }) => sum + value, bias),
        bias,
        heads,
      };
    }),
    influence: {
      examples: 260,
      most: [0.71, 0.68, 0.66].map(example),
      least: [null, -0.34, -0.21].map(example),
    },
  };
}
