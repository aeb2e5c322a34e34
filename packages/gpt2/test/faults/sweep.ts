// What every fault sweep demands of a case: the right result or a coded error in time; and the tally that is recorded.
import { LimnError } from '@limn/gpu';

/** How a case may end. Everything else throws. */
export type Outcome<T> = { readonly result: T } | { readonly code: string };

/** Milliseconds after which a case counts as hanging. */
const PATIENCE = 20_000;

/** Runs a case; fails on an uncoded error and on a hang. */
export async function outcomeOf<T>(what: string, act: () => Promise<T>): Promise<Outcome<T>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no result and no error after ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    return { result: await Promise.race([act(), hang]) };
  } catch (error) {
    if (error instanceof LimnError) return { code: error.code };
    throw new Error(`${what}: not a coded error: ${String((error as Error).stack)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Counts of cases by how they ended. */
export class Tally {
  cases = 0;
  unharmed = 0;
  resumed = 0;
  readonly codes = new Map<string, number>();

  add(outcome: Outcome<unknown>): void {
    this.cases += 1;
    if ('code' in outcome) this.codes.set(outcome.code, (this.codes.get(outcome.code) ?? 0) + 1);
    else this.unharmed += 1;
  }

  /** For `recordResult`. */
  get figures(): Record<string, number> {
    const codes = Object.fromEntries([...this.codes].sort().map(([code, count]) => [code, count]));
    return {
      cases: this.cases,
      'right result all the same': this.unharmed,
      ...codes,
      'resumed to the same bits': this.resumed,
    };
  }
}

/** Calls worth a case of their own when there is little time: of every operation one in the middle, and the last. */
export function someCalls(calls: readonly string[]): number[] {
  const byName = new Map<string, number[]>();
  calls.forEach((name, i) => byName.set(name, [...(byName.get(name) ?? []), i + 1]));
  const chosen = [...byName.values()].flatMap((at) => [at[at.length >> 1], at.at(-1)] as number[]);
  return [...new Set(chosen)].sort((a, b) => a - b);
}
