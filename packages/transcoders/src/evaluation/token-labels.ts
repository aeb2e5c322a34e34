// What is known about every token, as labels that a feature may stand for: its tags, the token itself, and the next one.
import type { TokenTag } from '@limn/tasks';

/**
 * Labels of the tokens of a sequence: `role=io` and the like for every latent variable that a token's tag gives a value, `token=17` for its
 * id, `next=23` for that of the token behind it.
 */
export function tokenLabels(tokens: ArrayLike<number>, tags: readonly TokenTag[]): string[][] {
  return Array.from(tokens as ArrayLike<number>, (id, t) => [
    ...Object.entries(tags[t] ?? {}).map(([kind, value]) => `${kind}=${value}`),
    `token=${id}`,
    ...(t + 1 < tokens.length ? [`next=${tokens[t + 1]}`] : []),
  ]);
}

/** Labels by number, each token's in order. */
export interface NumberedLabels {
  readonly names: readonly string[];
  /** Labels of token n are ids[starts[n]] … ids[starts[n + 1] − 1]. */
  readonly starts: Uint32Array;
  readonly ids: Uint32Array;
}

/** Every distinct label gets a number, in the order of first use. */
export function numberLabels(labels: readonly (readonly string[])[]): NumberedLabels {
  const numbers = new Map<string, number>();
  const starts = new Uint32Array(labels.length + 1);
  const ids: number[] = [];
  labels.forEach((own, n) => {
    for (const name of new Set(own)) {
      const number = numbers.get(name) ?? numbers.size;
      numbers.set(name, number);
      ids.push(number);
    }
    starts[n + 1] = ids.length;
  });
  return { names: [...numbers.keys()], starts, ids: Uint32Array.from(ids) };
}
