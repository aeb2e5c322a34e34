// What the nodes of several circuits write beyond the ablated run, k_u ∘ (ẑ_u − z'_u), as rows of one tensor; and which rows a slot of a circuit adds.
import type { Step } from '@limn/gpu';
import { allocate, expand, fill, reshape, slice, sub, type Tensor } from '@limn/tensor';
import { circuitChanges, circuitSlots, keptChanges } from './circuit-kernels.js';
import type { PlannedCircuit } from './neuron-circuit.js';
import { missingTerms, slotSums } from './slot-sums.js';

/** A node's outputs z' [≥ 1, B, T, C], and which of them. */
export interface ReferenceOutput {
  readonly tensor: Tensor;
  readonly which: number;
}

/** The rows, filled node after node in the order of the model. */
export class ChangeRows {
  /**
   * [rows, B, T, C]: row 0 is the input's whole change, the same in every circuit; every other node has a row per circuit with it;
   * last come the running sums, of circuits that keep one.
   */
  readonly tensor: Tensor;
  readonly #step: Step;
  readonly #circuits: readonly PlannedCircuit[];
  readonly #sources: readonly ReadonlySet<number>[];
  readonly #rowOf: readonly Map<number, number>[];
  readonly #running: readonly number[];
  #next = 1;
  /** Sources that the running sums have in them, 0 … covered − 1. */
  #covered = 0;

  /** `inputChange` [1, B, T, C]. */
  constructor(step: Step, inputChange: Tensor, circuits: readonly PlannedCircuit[]) {
    this.#step = step;
    this.#circuits = circuits;
    this.#sources = circuits.map(({ circuit }) => new Set(circuit.sources()));
    this.#rowOf = circuits.map(() => new Map([[0, 0]]));
    const partial = this.#allCircuits().filter((c) => circuits[c]?.partial.has(0));
    const nodes = this.#sources.reduce((total, sources) => total + sources.size - (sources.has(0) ? 1 : 0), 0);
    this.#running = this.#allCircuits().filter((c) => slotSums((circuits[c] as PlannedCircuit).circuit).running);
    const [, ...shape] = inputChange.shape;
    const rows = 1 + partial.length + nodes + this.#running.length;
    this.tensor = allocate(step, [rows, ...shape], 'circuit changes');
    step.copy(inputChange.storage, this.tensor.storage, { byteLength: inputChange.storage.byteLength });
    if (partial.length > 0) this.#putKept(0, partial, expand(step, inputChange, [partial.length, ...shape]));
  }

  /** The circuits that compute source `u`. */
  circuitsWith(u: number): number[] {
    return this.#allCircuits().filter((c) => this.#sources[c]?.has(u));
  }

  /** Adds the rows of source `u`: `output` [which.length · B, T, C], what it writes in the circuits `which`. */
  put(u: number, which: readonly number[], output: Tensor, reference: ReferenceOutput): void {
    const step = this.#step;
    if (which.some((c) => this.#circuits[c]?.partial.has(u))) {
      const outputs = reshape(output, [which.length, ...this.tensor.shape.slice(1)]);
      this.#putKept(u, which, sub(step, outputs, slice(step, reference.tensor, 0, reference.which, 1)));
    } else {
      circuitChanges(step, this.tensor, this.#next, output, reference);
      this.#count(u, which);
    }
  }

  /** The rows that slot `v` of circuit `c` adds to the ablated stream, ~row where it takes one away. All of its sources are put. */
  into(c: number, v: number): number[] {
    const { circuit } = this.#circuits[c] as PlannedCircuit;
    const { graph } = circuit;
    const edges = circuit.sourcesOf(v);
    const live = this.#before(c, graph.prev(v));
    if (!this.#running.includes(c) || missingTerms(live.length, edges.length) >= edges.length)
      return this.#rows(c, edges);
    this.#bringUpTo(graph.prev(v));
    const missing = live.filter((u) => !circuit.has(u, v));
    return [this.#runningRow(c), ...this.#rows(c, missing).map((row) => ~row)];
  }

  /** Brings every running sum up to the sources before `end`. */
  #bringUpTo(end: number): void {
    if (end === this.#covered) return;
    const step = this.#step;
    const terms = this.#running.map((c) => {
      const added = this.#rows(
        c,
        this.#before(c, end).filter((u) => u >= this.#covered),
      );
      return this.#covered === 0 ? added : [this.#runningRow(c), ...added];
    });
    const zero = fill(step, this.tensor.shape.slice(1), 0, 'nothing');
    // One buffer is not read and written in one dispatch, so the new sums come back by a copy.
    const { storage } = circuitSlots(step, zero, this.tensor, terms);
    const toOffset = this.tensor.storage.byteLength - storage.byteLength;
    step.copy(storage, this.tensor.storage, { toOffset, byteLength: storage.byteLength });
    this.#covered = end;
  }

  /** Sources of circuit `c` before `end`, ascending. */
  #before(c: number, end: number): number[] {
    return [...(this.#sources[c] ?? [])].filter((u) => u < end);
  }

  #rows(c: number, sources: readonly number[]): number[] {
    return sources.map((u) => this.#rowOf[c]?.get(u) as number);
  }

  #runningRow(c: number): number {
    return (this.tensor.shape[0] ?? 0) - this.#running.length + this.#running.indexOf(c);
  }

  #putKept(u: number, which: readonly number[], change: Tensor): void {
    const width = change.shape.at(-1) as number;
    const kept = new Float32Array(which.length * width).fill(1);
    for (const [row, c] of which.entries()) {
      const own = this.#circuits[c]?.partial.get(u);
      if (own) kept.set(own, row * width);
    }
    keptChanges(this.#step, this.tensor, this.#next, change, kept);
    this.#count(u, which);
  }

  #count(u: number, which: readonly number[]): void {
    for (const c of which) this.#rowOf[c]?.set(u, this.#next++);
  }

  #allCircuits(): number[] {
    return this.#circuits.map((_, c) => c);
  }
}
