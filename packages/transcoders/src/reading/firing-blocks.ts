// Passes over what fires: every sequence's activations as lists without zeros, kept on the host while they fit, made anew where they do not.
import type { Step } from '@limn/gpu';
import {
  inBatches,
  settleControls,
  tokenBatch,
  type HookedModel,
  type RunControls,
  type RunProgress,
} from '@limn/hooks';
import { fromData, gatherRows, type Tensor } from '@limn/tensor';
import type { FeatureEncoder } from '../encoder.js';
import { flat, meanRows } from '../evaluation/mean-rows.js';
import { TopNeurons, type NeuronBaseline } from '../evaluation/neurons.js';
import { keptRows } from '../training/token-source.js';
import { isNeurons, layerOf, siteOf, type FeatureOwner } from './feature-owner.js';
import { recordDense, recordEntries, type Entries, type RecordedEntries } from './firing-entries.js';
import type { TokenPlaces } from './token-places.js';

/** Features of a token that are listed where all of them would be read otherwise: four times what dictionaries are trained for. */
const LISTED = 256;

/** What fires on some tokens. Entries of row n are rowStarts[n] ≤ e < rowStarts[n + 1], by rising column. */
export interface FiringBlock {
  /** The token of each row, rising, [N]. */
  readonly places: Uint32Array;
  /** [N + 1] */
  readonly rowStarts: Uint32Array;
  /** Numbers in the list of wanted features. */
  readonly columns: Uint32Array;
  /** > 0 */
  readonly values: Float32Array;
}

/** What is read of whom. */
export interface FiringRequest {
  readonly owner: FeatureOwner;
  /** Rising. */
  readonly features: Uint32Array;
  readonly places: TokenPlaces;
  /** Most bytes of blocks that stay on the host between passes. */
  readonly keptBytes: number;
  /** How many passes there will be, for progress. */
  readonly passes: number;
  /** Features of a token that are listed on the GPU; tokens with more are read whole. Default `LISTED`. */
  readonly listed?: number | undefined;
}

/** Goes over the same activations several times; each time in the same blocks, with the same bits. */
export class FiringPasses {
  #kept: FiringBlock[] | undefined;
  #done = 0;

  constructor(
    private readonly model: HookedModel,
    private readonly request: FiringRequest,
    private readonly controls: RunControls,
  ) {}

  /** Shows every block. */
  async pass(visit: (block: FiringBlock) => void): Promise<void> {
    if (this.#kept) {
      for (const block of this.#kept) visit(block);
      this.#tell(1, 1);
    } else if (this.#done === 0) {
      const kept: FiringBlock[] = [];
      let bytes = 0;
      await this.#run((block) => {
        bytes += 4 * (block.places.length + block.rowStarts.length) + 8 * block.columns.length;
        if (bytes <= this.request.keptBytes) kept.push(block);
        else kept.length = 0;
        visit(block);
      });
      if (bytes <= this.request.keptBytes) this.#kept = kept;
    } else await this.#run(visit);
    this.#done++;
  }

  #tell(done: number, total: number): void {
    const { passes } = this.request;
    const { length } = this.request.places.scored;
    const progress: RunProgress = {
      unit: 'sequences',
      done: this.#done * length + Math.round((done / total) * length),
      total: passes * length,
    };
    this.controls.onProgress?.(progress);
  }

  async #run(visit: (block: FiringBlock) => void): Promise<void> {
    const { model } = this;
    const { owner, places } = this.request;
    const { scored } = places;
    const controls = { ...this.controls, ...settleControls(this.controls) };
    const neurons = isNeurons(owner) ? await this.#neurons(owner) : undefined;
    const slots = this.#slots();
    try {
      await inBatches(
        model.gpu,
        scored,
        {
          what: 'Reading features',
          unit: 'sequence',
          label: 'activations of features',
          lengthOf: (s) => (places.sequences[s] as ArrayLike<number>).length,
          record: (step, batch) => {
            const rows = this.#rows(step, batch);
            const record = neurons ? recordDense([neurons.scores(step, rows)]) : this.#record(step, rows);
            return { batch, places: Uint32Array.from(batch.flatMap((s) => places.of(s))), record };
          },
          take: async (step, { batch, places: of, record }) => {
            const lists = (await record.read(step)) ?? (await this.#readWhole(batch));
            visit(wanted(of, lists, slots));
          },
        },
        { ...controls, onProgress: ({ done, total }) => this.#tell(done, total) },
      );
    } finally {
      neurons?.dispose();
    }
  }

  /** What is read, at the scored tokens, [N, I]. */
  #rows(step: Step, batch: readonly number[]): Tensor {
    const { model } = this;
    const { owner, places } = this.request;
    const site = siteOf(owner);
    const tokens = tokenBatch(
      batch.map((s) => places.sequences[s] as ArrayLike<number>),
      model.info,
    );
    const run = model.run(step, { tokens }, { capture: [site], logits: 'none', stopAtLayer: layerOf(owner) + 1 });
    const kept = keptRows(tokens.lengths, tokens.T, places.skip);
    return gatherRows(step, flat(run.at(site)), fromData(step, kept, [kept.length], { label: 'kept rows' }));
  }

  #record(step: Step, rows: Tensor): RecordedEntries {
    const { owner, listed = LISTED } = this.request;
    return recordEntries(step, owner as FeatureEncoder, rows, listed);
  }

  /** A batch once more, where more fires on a token than was listed. */
  async #readWhole(batch: readonly number[]): Promise<readonly Entries[]> {
    const { signal } = this.controls;
    const step = this.model.gpu.step({ label: 'activations of features', ...(signal ? { signal } : {}) });
    try {
      const recorded = recordEntries(step, this.request.owner as FeatureEncoder, this.#rows(step, batch), Infinity);
      return (await recorded.read(step)) as readonly Entries[];
    } finally {
      step.dispose();
    }
  }

  async #neurons(owner: NeuronBaseline): Promise<TopNeurons> {
    const { sequences, scored, skip } = this.request.places;
    const controls = { ...this.controls, ...settleControls(this.controls), onProgress: undefined };
    const site = siteOf(owner);
    const lists = scored.map((s) => sequences[s] as ArrayLike<number>);
    const means = owner.rest === 'mean' ? await meanRows(this.model, lists, [site], { ...controls, skip }) : undefined;
    return TopNeurons.create(this.model, owner, means?.get(site));
  }

  /** For each of the F features its number among the wanted, or −1. */
  #slots(): Int32Array {
    const { owner, features } = this.request;
    const F = isNeurons(owner) ? this.model.info.mlpWidth : owner.config.features;
    const slots = new Int32Array(F).fill(-1);
    features.forEach((feature, slot) => (slots[feature] = slot));
    return slots;
  }
}

/** The entries of wanted features, by their numbers among them; nothing holds on to what was read. */
function wanted(places: Uint32Array, lists: readonly Entries[], slots: Int32Array): FiringBlock {
  const total = lists.reduce((sum, { rowStarts }) => sum + (rowStarts.at(-1) as number), 0);
  const [columns, values] = [new Uint32Array(total), new Float32Array(total)];
  const starts = new Uint32Array(places.length + 1);
  let [count, row] = [0, 0];
  for (const list of lists)
    for (let r = 0; r < list.rowStarts.length - 1; r++) {
      for (let e = list.rowStarts[r] as number; e < (list.rowStarts[r + 1] as number); e++) {
        const slot = slots[list.columns[e] as number] as number;
        if (slot < 0) continue;
        columns[count] = slot;
        values[count++] = list.values[e] as number;
      }
      starts[++row] = count;
    }
  return { places, rowStarts: starts, columns: columns.slice(0, count), values: values.slice(0, count) };
}
