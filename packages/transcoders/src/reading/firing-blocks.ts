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
import { fromData, gatherRows, readFloats, readWords, slice, type SparseCodes, type Tensor } from '@limn/tensor';
import type { FeatureEncoder } from '../encoder.js';
import { flat, meanRows } from '../evaluation/mean-rows.js';
import { TopNeurons, type NeuronBaseline } from '../evaluation/neurons.js';
import { partsOf, rowsPerBinding } from '../row-parts.js';
import { keptRows } from '../training/token-source.js';
import { isNeurons, layerOf, siteOf, type FeatureOwner } from './feature-owner.js';
import type { TokenPlaces } from './token-places.js';

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
}

/** Codes as they come, or dense parts [rows, F]. */
type RecordedRows = { readonly codes: SparseCodes } | { readonly parts: readonly Tensor[] };

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
    const { skip, scored } = places;
    const site = siteOf(owner);
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
            const tokens = tokenBatch(
              batch.map((s) => places.sequences[s] as ArrayLike<number>),
              model.info,
            );
            const run = model.run(
              step,
              { tokens },
              { capture: [site], logits: 'none', stopAtLayer: layerOf(owner) + 1 },
            );
            const kept = keptRows(tokens.lengths, tokens.T, skip);
            const ids = fromData(step, kept, [kept.length], { label: 'kept rows' });
            const rows = gatherRows(step, flat(run.at(site)), ids);
            return {
              places: Uint32Array.from(batch.flatMap((s) => places.of(s))),
              recorded: isNeurons(owner)
                ? { parts: [(neurons as TopNeurons).scores(step, rows)] }
                : recordRows(step, owner, rows),
            };
          },
          take: async (step, { places: of, recorded }) => {
            const F = slots.length;
            visit(
              'codes' in recorded
                ? wanted(of, await readCodes(step, recorded.codes), slots)
                : fromDense(of, await Promise.all(recorded.parts.map((part) => readFloats(step, part))), F, slots),
            );
          },
        },
        { ...controls, onProgress: ({ done, total }) => this.#tell(done, total) },
      );
    } finally {
      neurons?.dispose();
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

/** Codes where the activation keeps few, else dense parts that a binding takes. */
function recordRows(step: Step, encoder: FeatureEncoder, rows: Tensor): RecordedRows {
  const { features, activation } = encoder.config;
  const { codes } = activation.kind === 'top-k' ? encoder.activations(step, rows) : {};
  if (codes) return { codes };
  const total = rows.shape[0] as number;
  const parts = partsOf(total, rowsPerBinding(encoder.gpu, features));
  return {
    parts: parts.map(([start, count]) =>
      encoder.encode(step, count === total ? rows : slice(step, rows, 0, start, count)),
    ),
  };
}

interface Entries {
  readonly rowStarts: Uint32Array;
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

async function readCodes(step: Step, codes: SparseCodes): Promise<Entries> {
  const [rowStarts, columns, values] = await Promise.all([
    readWords(step, codes.rowStarts),
    readWords(step, codes.columns),
    readFloats(step, codes.values),
  ]);
  return { rowStarts, columns, values };
}

/** The entries of wanted features, copied so that nothing holds on to what was read. */
function wanted(places: Uint32Array, { rowStarts, columns, values }: Entries, slots: Int32Array): FiringBlock {
  const starts = new Uint32Array(rowStarts.length);
  const total = rowStarts.at(-1) as number;
  const [kept, numbers] = [new Uint32Array(total), new Float32Array(total)];
  let count = 0;
  for (let row = 0; row < starts.length - 1; row++) {
    for (let e = rowStarts[row] as number; e < (rowStarts[row + 1] as number); e++) {
      const slot = slots[columns[e] as number] as number;
      if (slot < 0) continue;
      kept[count] = slot;
      numbers[count++] = values[e] as number;
    }
    starts[row + 1] = count;
  }
  return { places, rowStarts: starts, columns: kept.slice(0, count), values: numbers.slice(0, count) };
}

/** The entries above 0 of wanted features in dense parts [rows, F], one behind the other. */
function fromDense(places: Uint32Array, parts: readonly Float32Array[], F: number, slots: Int32Array): FiringBlock {
  let most = 0;
  for (const part of parts) for (let i = 0; i < part.length; i++) if ((part[i] as number) > 0) most++;
  const [kept, numbers] = [new Uint32Array(most), new Float32Array(most)];
  const starts = new Uint32Array(places.length + 1);
  let [count, row] = [0, 0];
  for (const part of parts)
    for (let first = 0; first < part.length; first += F) {
      for (let f = 0; f < F; f++) {
        const value = part[first + f] as number;
        if (!(value > 0)) continue;
        const slot = slots[f] as number;
        if (slot < 0) continue;
        kept[count] = slot;
        numbers[count++] = value;
      }
      starts[++row] = count;
    }
  return { places, rowStarts: starts, columns: kept.slice(0, count), values: numbers.slice(0, count) };
}
