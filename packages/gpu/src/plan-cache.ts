// Plans by key: memory, pipelines and bind groups of recordings that have run before.
import type { BindGroupCache } from './bind-groups.js';
import { align4, type BufferPool, type PhysicalBuffer } from './buffers.js';
import type { Counters } from './counters.js';
import type { Check } from './health.js';
import { internal } from './internal.js';
import type { Pipeline, PipelineCache } from './pipelines.js';
import { planKey, planMemory } from './plan.js';
import type { Recording } from './recording.js';
import { Scratch } from './scratch.js';

/** What a repeated recording reuses. */
export interface Plan {
  readonly key: string;
  /** Scratch buffer index per storage, -1 for those with a buffer of their own. */
  readonly bufferOf: readonly number[];
  readonly scratch: readonly PhysicalBuffer[];
  /** Per command; undefined for what is not a dispatch. */
  readonly pipelines: readonly (Pipeline | undefined)[];
  /** The pipelines, each once. */
  readonly distinct: readonly Pipeline[];
  /** Bind groups per command for the outside buffers that `boundTo` names. */
  groups: readonly (GPUBindGroup | undefined)[];
  boundTo: string;
}

/** Least recently used plans are dropped beyond this many; each costs host memory and pins its share of scratch. */
const PLAN_LIMIT = 64;

/** The plans of one device. */
export class PlanCache {
  readonly #plans = new Map<string, Plan>();
  readonly #scratch: Scratch;

  constructor(
    readonly pipelines: PipelineCache,
    readonly groups: BindGroupCache,
    readonly counters: Counters,
    pool: BufferPool,
    readonly maxBufferSize: number,
  ) {
    this.#scratch = new Scratch(pool);
  }

  /** The plan for a recording, made if it is new; `checks` receives what must be awaited before its results are trusted. */
  get(recording: Recording, checks: Check[]): Plan {
    const key = planKey(recording);
    let plan = this.#plans.get(key);
    if (plan?.scratch.some((buffer) => buffer.destroyed)) {
      this.drop(plan);
      plan = undefined;
    }
    if (plan) this.#plans.delete(key);
    else plan = this.#create(recording, key, checks);
    this.#plans.set(key, plan);
    if (this.#plans.size > PLAN_LIMIT) this.drop(this.#plans.values().next().value!);
    return plan;
  }

  /** The buffer of every storage of the recording; undefined for those never used. */
  resolve(plan: Plan, recording: Recording): (PhysicalBuffer | undefined)[] {
    return recording.storages.map((storage, i) => {
      const own = storage[internal].buffer;
      if (own) return own;
      const index = plan.bufferOf[i]!;
      return index < 0 ? undefined : plan.scratch[index];
    });
  }

  /** The bind groups of every dispatch, reused as they are when the outside buffers are those of last time. */
  bind(
    plan: Plan,
    recording: Recording,
    physical: readonly (PhysicalBuffer | undefined)[],
    uniforms: PhysicalBuffer | undefined,
  ): readonly (GPUBindGroup | undefined)[] {
    let boundTo = `${uniforms?.id ?? 0}`;
    physical.forEach((buffer, i) => {
      if (plan.bufferOf[i]! < 0 && buffer) boundTo += `,${buffer.id}`;
    });
    if (plan.boundTo === boundTo) return plan.groups;
    plan.groups = recording.commands.map((command, at) => {
      if (command.kind !== 'dispatch') return undefined;
      const bound = command.slots.map((slot) => ({
        buffer: physical[slot]!,
        bytes: align4(recording.storages[slot]!.byteLength),
      }));
      return this.groups.get(plan.pipelines[at]!, bound, uniforms);
    });
    plan.boundTo = boundTo;
    return plan.groups;
  }

  /** Forgets a plan and lets its scratch go. */
  drop(plan: Plan): void {
    if (this.#plans.get(plan.key) !== plan) return;
    this.#plans.delete(plan.key);
    this.#scratch.release(plan.scratch);
  }

  /** Forgets all plans. */
  clear(): void {
    for (const plan of this.#plans.values()) this.drop(plan);
  }

  #create(recording: Recording, key: string, checks: Check[]): Plan {
    const pipelines = recording.commands.map((command) =>
      command.kind === 'dispatch' ? this.pipelines.get(command.program) : undefined,
    );
    const memory = planMemory(recording, this.maxBufferSize);
    const scratch = this.#scratch.acquire(memory.bufferBytes, recording.label, checks);
    this.counters.plansCreated += 1;
    const distinct = [...new Set(pipelines)].filter((p) => p !== undefined);
    return { key, bufferOf: memory.bufferOf, scratch, pipelines, distinct, groups: [], boundTo: '' };
  }
}
