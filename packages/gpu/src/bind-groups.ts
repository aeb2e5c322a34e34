// Bind groups, made once per layout and set of buffers, dropped with the buffers they name.
import type { PhysicalBuffer } from './buffers.js';
import type { Counters } from './counters.js';
import type { Pipeline } from './pipelines.js';

/** One storage binding: a whole buffer from its start, sized to the value so that arrayLength() is right. */
export interface Bound {
  readonly buffer: PhysicalBuffer;
  readonly bytes: number;
}

/** Bind groups of one device, least recently looked up first. */
export class BindGroupCache {
  readonly #groups = new Map<string, { group: GPUBindGroup; buffers: readonly number[] }>();
  readonly #byBuffer = new Map<number, Set<string>>();

  constructor(
    readonly device: GPUDevice,
    readonly counters: Counters,
    readonly limit = 16384,
  ) {}

  get(pipeline: Pipeline, bound: readonly Bound[], uniforms: PhysicalBuffer | undefined): GPUBindGroup {
    const block = pipeline.uniformBytes > 0 ? uniforms! : undefined;
    let key = pipeline.layoutKey;
    for (const { buffer, bytes } of bound) key += `,${buffer.id}:${bytes}`;
    if (block) key += `,${block.id}:${pipeline.uniformBytes}`;
    const known = this.#groups.get(key);
    if (known) {
      this.#groups.delete(key);
      this.#groups.set(key, known);
      return known.group;
    }
    const entries: GPUBindGroupEntry[] = bound.map(({ buffer, bytes }, binding) => ({
      binding,
      resource: { buffer: buffer.gpuBuffer, size: bytes },
    }));
    if (block)
      entries.push({ binding: bound.length, resource: { buffer: block.gpuBuffer, size: pipeline.uniformBytes } });
    const group = this.device.createBindGroup({ layout: pipeline.layout, entries });
    this.counters.bindGroupsCreated += 1;
    const buffers = [...bound.map((b) => b.buffer.id), ...(block ? [block.id] : [])];
    this.#groups.set(key, { group, buffers });
    for (const id of buffers) {
      const keys = this.#byBuffer.get(id);
      if (keys) keys.add(key);
      else this.#byBuffer.set(id, new Set([key]));
    }
    if (this.#groups.size > this.limit) this.#drop(this.#groups.keys().next().value!);
    return group;
  }

  /** Forgets every group that names the buffer. */
  forget(buffer: PhysicalBuffer): void {
    for (const key of this.#byBuffer.get(buffer.id) ?? []) this.#drop(key);
  }

  /** Forgets all groups: after a failure, any of them may be one that WebGPU could not make. */
  clear(): void {
    this.#groups.clear();
    this.#byBuffer.clear();
  }

  #drop(key: string): void {
    const entry = this.#groups.get(key);
    if (!entry) return;
    this.#groups.delete(key);
    for (const id of entry.buffers) {
      const keys = this.#byBuffer.get(id);
      keys?.delete(key);
      if (keys?.size === 0) this.#byBuffer.delete(id);
    }
  }
}
