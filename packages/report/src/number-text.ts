// Numbers as the page writes them: three significant digits, a true minus sign. Used when the page is made and inside it.

/** '0.532', '−1.2', '12,345', '3.1e−6', '–' for a number that is not there. */
export function numberText(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e-4 && size < Math.min(1000, 10 ** digits)
      ? String(Number(value.toPrecision(digits)))
      : size >= 100 && size < 1e12
        ? Math.round(value).toLocaleString('en-US')
        : value.toExponential(Math.max(0, digits - 2));
  return text.replaceAll('-', '−').replace('e+', 'e');
}

/** To a tenth of a pixel. */
export const tenth = (value: number): number => Math.round(value * 10) / 10;

/** '0.908', '0': a ratio of differences, to a thousandth, since what is beyond is round-off of the two runs that it compares. */
export const ratioText = (value: number | null | undefined): string =>
  numberText(value === null || value === undefined ? value : Math.round(value * 1000) / 1000 + 0);

/** Decimals that give the largest of the values four digits: scores in one column then stand point under point. */
export function decimalsFor(values: readonly (number | null | undefined)[]): number {
  const largest = values.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  return largest ? Math.max(0, Math.min(12, 4 - Math.ceil(Math.log10(largest) + 1e-9))) : 1;
}

/** '0.532', '−1.200': a score with a fixed number of decimals; '–' for one that is not there. */
export const scoreText = (value: number | null | undefined, decimals: number): string =>
  value === null || value === undefined ? '–' : value.toFixed(decimals).replace('-', '−');

/** '+0.53', '−1.20', and '0' for what would be written as zero: a difference with a fixed number of decimals. */
export function signedText(value: number, decimals: number): string {
  const text = scoreText(value, decimals);
  return Number(value.toFixed(decimals)) === 0 ? '0' : value > 0 ? `+${text}` : text;
}

/** Decimals that give the largest of the values three digits. */
export const shortDecimalsFor = (values: readonly number[]): number => Math.max(0, decimalsFor(values) - 1);

/** '2.5 %' from 0.025. */
export const percentText = (fraction: number, digits = 2): string => `${numberText(fraction * 100, digits)} %`;

/** '97 %', '0 %' for an edge that no resample found. */
export const oftenText = (share: number | undefined): string => `${Math.round((share ?? 0) * 100)} %`;

/** 'a0.h1->a2.h3<q>' → ['a0.h1', 'a2.h3', 'q']; the slot is empty for MLPs and logits. */
export function edgeParts(name: string): readonly [source: string, destination: string, slot: 'q' | 'k' | 'v' | ''] {
  const match = /^(.+)->([^<]+)(?:<([qkv])>)?$/.exec(name);
  return [match?.[1] ?? '', match?.[2] ?? '', (match?.[3] ?? '') as 'q' | 'k' | 'v' | ''];
}

/** 'a1.h2' → '1.2', 'm3' → 'MLP 3', 'input' and 'logits' as they are: what stands in a drawn node. */
export function nodeLabel(node: string): string {
  const head = /^a(\d+)\.h(\d+)$/.exec(node);
  return head ? `${head[1]}.${head[2]}` : node.replace(/^m(\d+)$/, 'MLP $1');
}

/** 'Layer 1, head 2', 'MLP of layer 3': a node as one says it. */
export const spokenNode = (node: string): string =>
  node.replace(/^a(\d+)\.h(\d+)$/, 'Layer $1, head $2').replace(/^m(\d+)$/, 'MLP of layer $1');

/** 'top 12 of 479 edges, 11 left after pruning'; of chosen nodes or neurons '12 of 479 edges, of the top 3 nodes'. */
export function sizeText({ n, kept, edgeCount, unit, units }: SizeWords): string {
  const size = `${numberText(n, 9)} of ${numberText(edgeCount, 9)} edges`;
  if (unit !== undefined)
    return units === undefined ? size : `${size}, of the top ${numberText(units, 9)} ${unit}${units === 1 ? '' : 's'}`;
  return `top ${size}${kept === n ? '' : `, ${numberText(kept, 9)} left after pruning`}`;
}

/** A circuit's size, and what it was chosen by where that is not edges. */
export interface SizeWords {
  readonly n: number;
  readonly kept: number;
  readonly edgeCount: number;
  readonly unit?: 'node' | 'neuron' | undefined;
  readonly units?: number | undefined;
}

/** '1.2 → MLP 3', '0.1 → 2.3 q'. */
export function edgeText(name: string): string {
  const [from, to, slot] = edgeParts(name);
  return `${nodeLabel(from)} → ${nodeLabel(to)}${slot && ` ${slot}`}`;
}
