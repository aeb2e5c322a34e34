// GPU time by label from timestamp queries around compute passes: one per dispatch, or those that a step has anyway.
import { usage, type BufferPool, type PhysicalBuffer } from './buffers.js';

/** Time spent in all dispatches of one label, or in all passes of steps that are timed by passes. */
export interface KernelTiming {
  readonly label: string;
  /** How many were timed. */
  readonly count: number;
  readonly milliseconds: number;
}

/** WebGPU's largest query set. */
const QUERIES = 4096;

interface Chunk {
  readonly querySet: GPUQuerySet;
  readonly labels: string[];
  resolve?: PhysicalBuffer;
  staging?: PhysicalBuffer;
}

/** Sums of nanoseconds by label over the timed steps of a device. */
export class TimingLedger {
  readonly #sums = new Map<string, { count: number; nanoseconds: number }>();
  readonly #pending = new Set<Promise<void>>();
  readonly #idle: GPUQuerySet[] = [];

  constructor(
    readonly device: GPUDevice,
    readonly pool: BufferPool,
  ) {}

  /** A recorder for the dispatches of one command buffer, or for its passes, all under the label `whole`. */
  begin(whole?: string): TimingRecorder {
    return new TimingRecorder(
      () => this.#idle.pop() ?? this.device.createQuerySet({ type: 'timestamp', count: QUERIES }),
      this.pool,
      whole,
    );
  }

  /** After the submit: query sets are free again, and the times are added once they can be mapped. */
  add(recorder: TimingRecorder): void {
    for (const chunk of recorder.chunks) {
      this.#idle.push(chunk.querySet);
      const entry: Promise<void> = this.#collect(chunk).finally(() => this.#pending.delete(entry));
      entry.catch(() => undefined);
      this.#pending.add(entry);
    }
  }

  /** Everything timed since the last reset, longest first. */
  async read(): Promise<KernelTiming[]> {
    await Promise.all(this.#pending);
    return [...this.#sums]
      .map(([label, { count, nanoseconds }]) => ({ label, count, milliseconds: nanoseconds / 1e6 }))
      .sort((a, b) => b.milliseconds - a.milliseconds || (a.label < b.label ? -1 : 1));
  }

  reset(): void {
    this.#sums.clear();
  }

  async #collect(chunk: Chunk): Promise<void> {
    const staging = chunk.staging!;
    const bytes = chunk.labels.length * 16;
    await staging.gpuBuffer.mapAsync(1, 0, bytes);
    const stamps = new BigUint64Array(staging.gpuBuffer.getMappedRange(0, bytes).slice(0));
    staging.gpuBuffer.unmap();
    this.pool.give(staging);
    this.pool.give(chunk.resolve!);
    chunk.labels.forEach((label, i) => {
      const sum = this.#sums.get(label) ?? { count: 0, nanoseconds: 0 };
      sum.count += 1;
      // A clock that steps back between queries (allowed by WebGPU) counts as no time.
      sum.nanoseconds += Math.max(0, Number(stamps[2 * i + 1]! - stamps[2 * i]!));
      this.#sums.set(label, sum);
    });
  }
}

/** Gives each pass two timestamps, and resolves them at the end of the command buffer. */
export class TimingRecorder {
  readonly chunks: Chunk[] = [];

  constructor(
    readonly querySet: () => GPUQuerySet,
    readonly pool: BufferPool,
    /** The label of all passes; undefined where each dispatch has a pass and a label of its own. */
    readonly whole: string | undefined,
  ) {}

  next(label: string): GPUComputePassTimestampWrites {
    let chunk = this.chunks.at(-1);
    if (!chunk || chunk.labels.length * 2 >= QUERIES)
      this.chunks.push((chunk = { querySet: this.querySet(), labels: [] }));
    const index = chunk.labels.push(label) * 2 - 2;
    return { querySet: chunk.querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }

  finish(encoder: GPUCommandEncoder): void {
    for (const chunk of this.chunks) {
      const bytes = chunk.labels.length * 16;
      chunk.resolve = this.pool.take(bytes, usage.queryResolve | usage.copySource, 'timestamps').buffer;
      chunk.staging = this.pool.take(bytes, usage.mapRead | usage.copyTarget, 'timestamps').buffer;
      encoder.resolveQuerySet(chunk.querySet, 0, chunk.labels.length * 2, chunk.resolve.gpuBuffer, 0);
      encoder.copyBufferToBuffer(chunk.resolve.gpuBuffer, 0, chunk.staging.gpuBuffer, 0, bytes);
    }
  }
}
