// Learnt steering as tensors on a device, and as the interventions that put it into a run.
import { LimnError, type Gpu, type Step } from '@limn/gpu';
import type { Extent, HookedModel, HookName, Intervention, InterventionContext, Phase } from '@limn/hooks';
import { persistent, type Tensor } from '@limn/tensor';
import { applyMethod, steeredRows, type PlaceTensors, type SteeredRows } from './apply-method.js';
import {
  checkMethod,
  isPositionFree,
  liesSideBySide,
  parameterForms,
  type ParameterForm,
  type SteeringMethod,
} from './method.js';
import { slotsOf, type PositionTable } from './positions.js';
import { steeredPlaces, type SteerableSite, type SteeredPlace } from './sites.js';
import { expectModel, valuesAt } from './steering-values.js';

/** What is steered, and how values are shared. */
export interface SteeringSpec {
  readonly method: SteeringMethod;
  readonly sites: readonly SteerableSite[];
  /** Default: all. */
  readonly layers?: readonly number[];
  readonly positions: PositionTable;
}

/** Learnt numbers on the host: what files hold. */
export interface SteeringValues {
  readonly spec: SteeringSpec;
  /** sha256 over the weights that they were learnt on. */
  readonly fingerprint: string;
  /** By hook name, by tensor name. */
  readonly places: ReadonlyMap<HookName, ReadonlyMap<ParameterForm['name'], Float32Array>>;
}

/** How strongly, and to which rows. */
export interface SteerOptions {
  /**
   * β: +1 favours the correct answers, −1 the wrong ones; one number, one per row of the caller's batch, or a function that is asked
   * anew for every run, so that a slider can move while a text is generated. Default 1.
   */
  readonly strength?: number | readonly number[] | (() => number) | undefined;
  /** Names of tokens per row of the caller's batch; for positions by role. */
  readonly roles?: readonly (readonly (string | undefined)[] | undefined)[] | undefined;
  /** Which of several sets of values each row of the caller's batch takes. Default 0. */
  readonly candidates?: readonly number[] | undefined;
  /** Only tokens of the prompt, or only generated ones. Default: both, where the method reaches both. */
  readonly phase?: Phase | undefined;
  /** Told the scalars that activations decided, [R, 1], with the cell of each row. */
  readonly onProduced?: ((step: Step, produced: Tensor, slots: Int32Array) => void) | undefined;
}

interface Place {
  readonly place: SteeredPlace;
  readonly forms: readonly ParameterForm[];
  readonly tensors: PlaceTensors;
}

/** The tensors of a spec, zero at first: a model steered by zeros is the model itself, bit for bit. */
export class Steering {
  readonly spec: SteeringSpec;
  readonly fingerprint: string;
  /** Sets of values held side by side; rows of a batch may take different ones. */
  readonly candidates: number;
  readonly gpu: Gpu;
  readonly #places: readonly Place[];

  /**
   * Zeros, or given values. `candidates` sets of values by position lie one after another along the first axis.
   * @throws LimnError `usage/steering-method`, `usage/steering-site`, `usage/steering-layer`, `usage/steering-option`,
   * `data/steering-fingerprint`, `data/steering-values`, `gpu/…`
   */
  constructor(
    model: Pick<HookedModel, 'gpu' | 'info'>,
    spec: SteeringSpec,
    {
      values = [],
      candidates = Math.max(1, values.length),
    }: { readonly values?: readonly SteeringValues[]; readonly candidates?: number } = {},
  ) {
    checkMethod(spec.method);
    if (candidates > 1 && !liesSideBySide(spec.method))
      throw new LimnError(
        'usage/steering-option',
        `Only values by position can lie side by side, not those of '${spec.method.kind}'.`,
        {
          details: { method: spec.method.kind, candidates },
          hint: 'Use one Steering per set of values.',
        },
      );
    this.spec = spec;
    this.candidates = candidates;
    this.fingerprint = model.info.fingerprint;
    this.gpu = model.gpu;
    for (const each of values) expectModel(each, model.info.fingerprint);
    const P = spec.positions.names.length;
    const made: Tensor[] = [];
    try {
      this.#places = steeredPlaces(model.info, spec).map((place) => {
        const forms = parameterForms(spec.method, place, P);
        const tensors = forms.map(({ name, shape, byPosition }) => {
          const count = byPosition ? candidates : 1;
          const data = new Float32Array(count * shape[0] * shape[1]);
          values
            .slice(0, count)
            .forEach((set, i) => data.set(valuesAt(set, place.at, name, shape), i * shape[0] * shape[1]));
          const tensor = persistent(model.gpu, [count * shape[0], shape[1]], data, { label: `${name} at ${place.at}` });
          made.push(tensor);
          return [name, tensor] as const;
        });
        return { place, forms, tensors: Object.fromEntries(tensors) };
      });
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
  }

  /** Every place, layer by layer. */
  get places(): readonly SteeredPlace[] {
    return this.#places.map(({ place }) => place);
  }

  /** What is learnt, with its place. */
  get parameters(): readonly { readonly at: HookName; readonly form: ParameterForm; readonly tensor: Tensor }[] {
    return this.#places.flatMap(({ place, forms, tensors }) =>
      forms
        .filter(({ fixed }) => fixed !== true)
        .map((form) => ({ at: place.at, form, tensor: tensors[form.name] as Tensor })),
    );
  }

  /** Numbers of one set that are learnt. */
  get parameterCount(): number {
    return this.parameters.reduce(
      (sum, { tensor, form }) => sum + tensor.size / (form.byPosition ? this.candidates : 1),
      0,
    );
  }

  /**
   * Writes one tensor of one place.
   * @throws LimnError `data/steering-values`
   */
  write(at: HookName, name: ParameterForm['name'], data: Float32Array): void {
    const tensor = this.#places.find(({ place }) => place.at === at)?.tensors[name];
    if (!tensor || tensor.size !== data.length)
      throw new LimnError('data/steering-values', `${data.length} numbers do not fit '${name}' at ${at}.`, {
        details: { at, name, given: data.length, expected: tensor?.size ?? null },
        hint: 'Give one number per element, positions first.',
      });
    this.gpu.write(tensor.storage, data);
  }

  /** The numbers on the host, of one of the sets; read after the steps submitted so far. */
  async values(candidate = 0): Promise<SteeringValues> {
    const places = new Map<HookName, Map<ParameterForm['name'], Float32Array>>();
    for (const { place, forms, tensors } of this.#places) {
      const own = new Map<ParameterForm['name'], Float32Array>();
      for (const { name, shape, byPosition } of forms) {
        const all = await this.gpu.read((tensors[name] as Tensor).storage, 'f32');
        const size = shape[0] * shape[1];
        const from = byPosition ? candidate * size : 0;
        own.set(name, all.slice(from, from + size));
      }
      places.set(place.at, own);
    }
    return { spec: this.spec, fingerprint: this.fingerprint, places };
  }

  /**
   * The interventions that steer a run, one per place: h̃ of arXiv 2410.04962, each from the activation of the steered run itself. They
   * compose with any others by concatenation.
   * @throws LimnError in the run: `data/steering-length`, `data/steering-roles`, `usage/steering-option`
   */
  interventions(options: SteerOptions = {}): Intervention[] {
    const { method } = this.spec;
    const rowsOf = this.#rowsOf(options);
    const extent: Extent = options.phase === undefined ? {} : { phase: options.phase };
    return this.#places.map(({ place, tensors }) =>
      Object.freeze({
        at: place.at,
        ...extent,
        spec: Object.freeze({
          kind: 'steer',
          options: Object.freeze({
            at: place.at,
            method: { ...method },
            positions: this.spec.positions.mode,
            strength: recorded(options.strength),
            ...(options.phase === undefined ? {} : { phase: options.phase }),
          }),
          tensors: Object.freeze({ ...tensors }),
        }),
        label: `${method.kind} at ${place.at}`,
        apply: (x: Tensor, ctx: InterventionContext): Tensor => {
          const { rows, slots } = rowsOf(ctx);
          const { y, produced } = applyMethod(ctx.step, method, x, tensors, rows);
          if (produced) options.onProduced?.(ctx.step, produced, slots);
          return y;
        },
      }),
    );
  }

  /** Releases the tensors. */
  dispose(): void {
    for (const { tensors } of this.#places) for (const tensor of Object.values(tensors)) tensor.dispose();
  }

  /** The same. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The rows of a run, made once for all of its places: a run has one array of positions. */
  #rowsOf(
    options: SteerOptions,
  ): (ctx: InterventionContext) => { readonly rows: SteeredRows; readonly slots: Int32Array } {
    const made = new WeakMap<Int32Array, { readonly rows: SteeredRows; readonly slots: Int32Array }>();
    const P = this.spec.positions.names.length;
    return (ctx) => {
      const known = made.get(ctx.positions);
      if (known) return known;
      const slots = new Int32Array(ctx.positions.length).fill(-1);
      const strength = new Float32Array(ctx.positions.length);
      const T = ctx.positions.length / ctx.rows.count;
      const strengths = typeof options.strength === 'function' ? options.strength() : (options.strength ?? 1);
      for (let b = 0; b < ctx.rows.count; b++) {
        const row = ctx.rows.start + b;
        const beta = ofRow(strengths, row, 'strengths');
        const candidate = options.candidates ? ofRow(options.candidates, row, 'candidates') : 0;
        if (!(candidate >= 0 && candidate < this.candidates)) throw noCandidate(candidate, this.candidates);
        const places = this.#slotsOfRow(ctx, b, options.roles?.[row]);
        for (let t = 0; t < places.length; t++) {
          strength[b * T + t] = beta;
          const slot = places[t] as number;
          if (slot >= 0) slots[b * T + t] = candidate * P + slot;
        }
      }
      const count = this.candidates * P;
      const rows = { rows: steeredRows(ctx.step, slots, strength, count), slots };
      made.set(ctx.positions, rows);
      return rows;
    };
  }

  /** Generated tokens have no place in a prompt: only values that hold everywhere reach them. */
  #slotsOfRow(ctx: InterventionContext, b: number, roles: readonly (string | undefined)[] | undefined): Int32Array {
    const length = ctx.lengths[b] as number;
    const table = this.spec.positions;
    const everywhere = isPositionFree(this.spec.method) || table.mode === 'none';
    if (ctx.phase === 'generated') return new Int32Array(length).fill(everywhere ? 0 : -1);
    if (everywhere) return Int32Array.from({ length }, (_, t) => (t < table.skip ? -1 : 0));
    return slotsOf(table, { length, roles }, ctx.rows.start + b);
  }
}

/** Strengths as a spec holds them. */
function recorded(strength: SteerOptions['strength']): number | number[] | 'live' {
  if (typeof strength === 'function') return 'live';
  return typeof strength === 'object' ? [...strength] : (strength ?? 1);
}

function ofRow(given: number | readonly number[], row: number, what: string): number {
  const value = typeof given === 'number' ? given : given[row];
  if (value !== undefined && Number.isFinite(value)) return value;
  throw new LimnError('usage/steering-option', `Row ${row} of the batch has ${String(value)} among its ${what}.`, {
    details: { row, what },
    hint: 'Give one finite number, or one per row of the whole batch.',
  });
}

function noCandidate(given: number, candidates: number): LimnError {
  return new LimnError('usage/steering-option', `There is no set of values ${given} among ${candidates}.`, {
    details: { given, candidates },
    hint: `Sets are numbered 0 to ${candidates - 1}.`,
  });
}
