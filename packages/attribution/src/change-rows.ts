// What the nodes of several circuits write beyond the ablated run, k_u ∘ (ẑ_u − z'_u), as rows of one tensor; and which rows a slot of a circuit adds.
import type { Step } from '@limn/gpu';
import { allocate, expand, reshape, slice, sub, type Tensor } from '@limn/tensor';
import { circuitChanges, keptChanges } from './circuit-kernels.js';
import type { PlannedCircuit } from './neuron-circuit.js';

/** A node's outputs z' [≥ 1, B, T, C], and which of them. */
export interface ReferenceOutput {
  readonly tensor: Tensor;
  readonly which: number;
}

/** The rows, filled node after node in the order of the model. */
export class ChangeRows {
  /** [rows, B, T, C]: row 0 is the input's whole change, the same in every circuit; every other node has a row per circuit with it. */
  readonly tensor: Tensor;
  readonly #step: Step;
  readonly #circuits: readonly PlannedCircuit[];
  readonly #sources: readonly ReadonlySet<number>[];
  readonly #rowOf: readonly Map<number, number>[];
  #next = 1;

  /** `inputChange` [1, B, T, C]. */
  constructor(step: Step, inputChange: Tensor, circuits: readonly PlannedCircuit[]) {
    this.#step = step;
    this.#circuits = circuits;
    this.#sources = circuits.map(({ circuit }) => new Set(circuit.sources()));
    this.#rowOf = circuits.map(() => new Map([[0, 0]]));
    const partial = this.#allCircuits().filter((c) => circuits[c]?.partial.has(0));
    const nodes = this.#sources.reduce((total, sources) => total + sources.size - (sources.has(0) ? 1 : 0), 0);
    const [, ...shape] = inputChange.shape;
    this.tensor = allocate(step, [1 + partial.length + nodes, ...shape], 'circuit changes');
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

  /** The rows that slot `v` of circuit `c` adds to the ablated stream. */
  into(c: number, v: number): number[] {
    return (this.#circuits[c] as PlannedCircuit).circuit.sourcesOf(v).map((u) => this.#rowOf[c]?.get(u) as number);
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
