// Activations for training: one forward pass captures every wanted site, rows stay on the GPU, and shuffled batches are served from them.
import { formatBytes, LimnError, throwIfAborted, type Step } from '@limn/gpu';
import { parseHookName, recordWithin, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { embed, fromData, gatherRows, reshape, rowBlocks, writeRows, type RowBlocks, type Tensor } from '@limn/tensor';
import { keptCount, keptRows, type TokenSource } from './token-source.js';
import { windowOrder } from './window-order.js';

/** How a stream cuts, shuffles and holds its rows. */
export interface StreamSettings {
  /** Of the shuffling: the same seed serves the same rows in the same order. */
  readonly seed: number;
  /** Rows of a served batch. */
  readonly rowsPerBatch: number;
  /** Batches of the token source that make a chunk; two chunks lie on the GPU at a time. */
  readonly batchesPerChunk: number;
  /** Positions at the start of every sequence that are left out: the first token's activations are like no other's. */
  readonly skip: number;
  /** Most tokens of a source's batch behind those that are skipped. Default: those of batch 0. */
  readonly mostRowsPerSourceBatch?: number | undefined;
  /** GPU bytes for the rows and for the forward passes, each. */
  readonly memoryBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Which batch comes next: its window, and its place in it. A window depends on its chunk and the one before it alone. */
export interface StreamPosition {
  readonly window: number;
  readonly batch: number;
}

/** GPU bytes of the rows: two chunks of every site. */
export function streamBytes(
  model: HookedModel,
  sites: readonly HookName[],
  { rowsPerChunk }: { readonly rowsPerChunk: number },
): number {
  return sites.length * 2 * rowsPerChunk * model.info.width * 4;
}

/**
 * A shuffled stream of rows [width] at several sites of a model, all from the same tokens. Window w serves half of chunk w and the other
 * half of chunk w − 1; what is left of a window when no whole batch is, is not served.
 */
export class ActivationStream implements Disposable {
  /** GPU bytes of the rows. */
  readonly bytes: number;
  readonly #tables: ReadonlyMap<HookName, RowBlocks>;
  readonly #capacity: number;
  readonly #stopAtLayer: number;
  /** Which chunk lies in each half of the tables, and its rows. */
  readonly #held: ({ readonly chunk: number; readonly rows: number } | undefined)[] = [undefined, undefined];
  #position: StreamPosition = { window: 0, batch: 0 };
  /** Places of the current window's rows, in order. */
  #order: Uint32Array | undefined;

  /**
   * @throws LimnError `usage/dictionary-stream` for settings that mean nothing, `hooks/unknown-site`; `memory/over-budget` with the bytes,
   * before any of them is taken, and `gpu/…` when the GPU has no room
   */
  constructor(
    readonly model: HookedModel,
    readonly source: TokenSource,
    readonly sites: readonly HookName[],
    readonly settings: StreamSettings,
  ) {
    const { batchesPerChunk, rowsPerBatch, skip, memoryBytes } = checkSettings(settings);
    const layers = sites.map((site) => parseHookName(site, model.info).layer ?? 0);
    this.#stopAtLayer = Math.max(...layers) + 1;
    const perSourceBatch = settings.mostRowsPerSourceBatch ?? keptCount(source(0), skip);
    this.#capacity = batchesPerChunk * perSourceBatch;
    // The first window is half a chunk.
    if (Math.ceil(this.#capacity / 2) < rowsPerBatch)
      throw badStream(
        `half a chunk has ${Math.ceil(this.#capacity / 2)} rows, fewer than the ${rowsPerBatch} of a batch`,
        'Make batchesPerChunk larger, or batches smaller.',
        { rowsPerChunk: this.#capacity, rowsPerBatch },
      );
    this.bytes = streamBytes(model, sites, { rowsPerChunk: this.#capacity });
    if (this.bytes > memoryBytes)
      throw new LimnError(
        'memory/over-budget',
        `The stream's rows take ${formatBytes(this.bytes)} (two chunks of ${this.#capacity} rows at ${sites.length} sites); the budget is ${formatBytes(memoryBytes)}.`,
        {
          details: { bytesNeeded: this.bytes, memoryBytes, rowsPerChunk: this.#capacity, sites: sites.length },
          hint: 'Make batchesPerChunk smaller, train fewer layers at once, or raise memoryBytes.',
        },
      );
    const made = new Map<HookName, RowBlocks>();
    try {
      for (const site of sites)
        made.set(site, rowBlocks(model.gpu, 2 * this.#capacity, model.info.width, undefined, { label: site }));
    } catch (error) {
      disposeTables(made);
      throw error;
    }
    this.#tables = made;
  }

  /** Which batch `next` serves. */
  get position(): StreamPosition {
    return this.#position;
  }

  /** Whole batches that are left of the window that is open. */
  get batchesLeft(): number {
    const rows = (this.#order?.length ?? 0) - this.#position.batch * this.settings.rowsPerBatch;
    return Math.floor(rows / this.settings.rowsPerBatch);
  }

  /** Goes to a position of any earlier or later batch; its rows are made when it is served. */
  seek(position: StreamPosition): void {
    this.#position = position;
    this.#order = undefined;
  }

  /**
   * Places of the next batch's rows, once they are on the GPU; give them to `rows`.
   * @throws LimnError `data/dictionary-stream` for a batch of the source with more tokens than there is room for, `tokens/…`,
   * `memory/over-budget`; AbortedError
   */
  async next(): Promise<Uint32Array> {
    const { rowsPerBatch } = this.settings;
    let { window, batch } = this.#position;
    this.#order ??= await this.#open(window);
    while ((batch + 1) * rowsPerBatch > this.#order.length) {
      window++;
      batch = 0;
      this.#order = await this.#open(window);
    }
    this.#position = { window, batch: batch + 1 };
    return this.#order.subarray(batch * rowsPerBatch, (batch + 1) * rowsPerBatch);
  }

  /** The rows [places, width] at some of the sites, by default at all, constants of the step. */
  rows(step: Step, places: Uint32Array, sites: readonly HookName[] = this.sites): ReadonlyMap<HookName, Tensor> {
    const ids = fromData(step, places, [places.length], { label: 'places of the batch' });
    return new Map(sites.map((site) => [site, embed(step, ids, this.#tables.get(site) as RowBlocks)]));
  }

  /** Frees the activations that it holds. */
  dispose(): void {
    disposeTables(this.#tables);
  }

  /** As `dispose`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Makes the rows that a window needs and gives its order. */
  async #open(window: number): Promise<Uint32Array> {
    const rowsBefore = window === 0 ? 0 : await this.#hold(window - 1);
    const rows = await this.#hold(window);
    return windowOrder(window, { rowsBefore, rows, capacity: this.#capacity, seed: this.settings.seed });
  }

  /** Sees to it that a chunk is on the GPU; gives its rows. */
  async #hold(chunk: number): Promise<number> {
    const half = chunk % 2;
    const held = this.#held[half];
    if (held?.chunk === chunk) return held.rows;
    this.#held[half] = undefined;
    const { batchesPerChunk } = this.settings;
    let rows = 0;
    for (let batch = chunk * batchesPerChunk; batch < (chunk + 1) * batchesPerChunk; batch++)
      rows += await this.#append(batch, half, rows);
    this.#held[half] = { chunk, rows };
    return rows;
  }

  /** Runs the model on a batch of the source and puts its rows behind `rows` others of a half; gives how many they are. */
  async #append(batch: number, half: number, rows: number): Promise<number> {
    const { memoryBytes, signal, skip } = this.settings;
    const sequences = this.source(batch).filter(({ length }) => length > skip);
    const count = keptCount(sequences, skip);
    if (rows + count > this.#capacity)
      throw new LimnError(
        'data/dictionary-stream',
        `Batch ${batch} of the token source has ${count} tokens behind those skipped; its chunk has room for ${this.#capacity - rows} more.`,
        {
          details: { batch, count, room: this.#capacity - rows },
          hint: 'Give the most tokens of a batch as mostRowsPerSourceBatch, or batches of equal size.',
        },
      );
    let at = half * this.#capacity + rows;
    for (let first = 0; first < sequences.length;) {
      throwIfAborted(signal, 'Capturing activations');
      const { step, count, recorded } = recordWithin({
        what: 'Capturing activations',
        unit: 'sequence',
        memoryBytes,
        // Not what fitted before: cuts, which decide kernels, depend on this batch and the budget alone.
        most: sequences.length - first,
        open: () => this.model.gpu.step({ label: 'activations', ...(signal ? { signal } : {}) }),
        record: (step, count) => this.#record(step, sequences.slice(first, first + count), at),
      });
      try {
        await step.submit();
      } finally {
        step.dispose();
      }
      first += count;
      at += recorded;
    }
    return count;
  }

  /** Records a forward pass and the writing of its rows from place `at` on; gives how many they are. */
  #record(step: Step, sequences: readonly ArrayLike<number>[], at: number): number {
    const tokens = tokenBatch(sequences, this.model.info);
    const stopAtLayer = this.#stopAtLayer;
    const run = this.model.run(step, { tokens }, { capture: [...this.sites], logits: 'none', stopAtLayer });
    const kept = keptRows(tokens.lengths, tokens.T, this.settings.skip);
    for (const [site, table] of this.#tables) {
      const captured = reshape(run.at(site), [tokens.B * tokens.T, table.width]);
      for (const { block, from, first, count } of cuts(table, at, kept.length)) {
        const ids = fromData(step, kept.subarray(from, from + count), [count], { label: 'kept rows' });
        const rows = reshape(gatherRows(step, captured, ids), [1, count, table.width]);
        const into = reshape(block, [1, ...block.shape]);
        writeRows(step, into, rows, fromData(step, Uint32Array.of(first, count), [1, 2], { label: 'place' }));
      }
    }
    return kept.length;
  }
}

/** The parts of rows [at, at + count) of a table by its blocks. */
function cuts(
  { blocks, rowsPerBlock }: RowBlocks,
  at: number,
  count: number,
): { readonly block: Tensor; readonly from: number; readonly first: number; readonly count: number }[] {
  return blocks.flatMap((block, b) => {
    const start = Math.max(at, b * rowsPerBlock);
    const end = Math.min(at + count, b * rowsPerBlock + (block.shape[0] as number));
    return end > start ? [{ block, from: start - at, first: start - b * rowsPerBlock, count: end - start }] : [];
  });
}

function disposeTables(tables: ReadonlyMap<HookName, RowBlocks>): void {
  for (const { blocks } of tables.values()) for (const block of blocks) block.dispose();
}

function checkSettings(settings: StreamSettings): StreamSettings {
  const { seed, rowsPerBatch, batchesPerChunk, skip, mostRowsPerSourceBatch } = settings;
  for (const [name, value, least] of [
    ['seed', seed, 0],
    ['rowsPerBatch', rowsPerBatch, 1],
    ['batchesPerChunk', batchesPerChunk, 1],
    ['skip', skip, 0],
    ['mostRowsPerSourceBatch', mostRowsPerSourceBatch ?? 1, 1],
  ] as const)
    if (!Number.isSafeInteger(value) || value < least)
      throw badStream(`${name} is ${value}`, `Give a whole number of at least ${least}.`, { [name]: value });
  return settings;
}

function badStream(problem: string, hint: string, details: Readonly<Record<string, unknown>>): LimnError {
  return new LimnError('usage/dictionary-stream', `A stream of activations: ${problem}.`, { details, hint });
}
