// The uniforms of all dispatches of a step, packed into one host block of 256-byte slots.
import { LimnError } from './errors.js';
import type { AnyShader } from './kernel.js';
import { uniformSize } from './pipelines.js';

/** Slot size in 4-byte words: WebGPU's offset alignment for dynamic uniform offsets. */
const SLOT_WORDS = 64;

const ranges: Record<'u32' | 'i32', readonly [number, number]> = {
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
};

/** Grows as dispatches are recorded; written to the GPU by one call. */
export class UniformBlock {
  #words = new Uint32Array(SLOT_WORDS * 16);
  #floats = new Float32Array(this.#words.buffer);
  #used = 0;

  /** Bytes in use. */
  get byteLength(): number {
    return this.#used * 4;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#words.buffer, 0, this.byteLength);
  }

  /** Checks one kernel's uniforms against its Params and packs them; returns their byte offset. */
  push(shader: AnyShader, uniforms: Readonly<Record<string, number>>): number {
    const start = this.#used;
    const slots = Math.ceil(uniformSize(shader.params.length) / 4 / SLOT_WORDS);
    this.#reserve(start + slots * SLOT_WORDS);
    this.#words.fill(0, start, start + slots * SLOT_WORDS);
    shader.params.forEach(({ name, type }, i) => {
      const value = uniforms[name];
      if (value === undefined) throw uniformError(shader, name, `is missing`);
      if (type === 'f32') {
        if (!Number.isFinite(Math.fround(value))) throw uniformError(shader, name, `is ${value}, not a finite f32`);
        this.#floats[start + i] = value;
        return;
      }
      const [low, high] = ranges[type];
      if (!Number.isInteger(value) || value < low || value > high)
        throw uniformError(shader, name, `is ${value}, not a ${type} (${low} to ${high})`);
      this.#words[start + i] = value;
    });
    if (Object.keys(uniforms).length !== shader.params.length) {
      const known = new Set(shader.params.map((p) => p.name));
      const extra = Object.keys(uniforms).find((name) => !known.has(name));
      if (extra !== undefined) throw uniformError(shader, extra, `is not in its Params`);
    }
    this.#used = start + slots * SLOT_WORDS;
    return start * 4;
  }

  #reserve(words: number): void {
    if (words <= this.#words.length) return;
    const grown = new Uint32Array(Math.max(words, this.#words.length * 2));
    grown.set(this.#words);
    this.#words = grown;
    this.#floats = new Float32Array(grown.buffer);
  }
}

function uniformError(shader: AnyShader, name: string, problem: string): LimnError {
  return new LimnError('gpu/uniform', `kernel ${shader.name}: uniform '${name}' ${problem}`, {
    details: { kernel: shader.name, uniform: name, params: shader.params.map((p) => `${p.name}: ${p.type}`) },
  });
}
