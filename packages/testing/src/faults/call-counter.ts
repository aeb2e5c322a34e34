// Counts the calls that could fail and says at which of them to fail, so that a job can be run once per call.

/** One failure to inject. */
export interface Fault<How extends string> {
  /** At the n-th counted call, from 1. */
  readonly call: number;
  readonly how: How;
  /** Names of the operations that count; all by default. */
  readonly of?: readonly string[];
  /** Also at every counted call behind it: a disk that stays full. */
  readonly lasting?: boolean;
}

/** Counts calls by operation. Without a fault it only records what there is to fail. */
export class CallCounter<How extends string> {
  /** The operations counted so far, in order. */
  readonly calls: string[] = [];
  /** The operation that was made to fail first, once that has happened. */
  failed: string | undefined;

  constructor(readonly fault?: Fault<How>) {}

  /** Counts one call; gives how it must fail, if it must. */
  count(operation: string): How | undefined {
    const { fault } = this;
    if (fault?.of && !fault.of.includes(operation)) return undefined;
    const call = this.calls.push(operation);
    if (!fault || call < fault.call || (call > fault.call && !fault.lasting)) return undefined;
    this.failed ??= operation;
    return fault.how;
  }
}
