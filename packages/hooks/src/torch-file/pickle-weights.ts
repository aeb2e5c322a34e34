// How deep and how large the containers of a pickle are, kept while it is read: what lies in another one can no longer grow, so none lies in itself.
import { PickleDict, PickleList, PickleObject, PickleTuple, type PickleValue } from './pickle-values.js';

const MOST_DEPTH = 64;
/** Values of the whole, what is shared counted each time: a few kilobytes of pickle can mean 2^1000 otherwise. */
const MOST_VALUES = 1_000_000;

type Container = PickleList | PickleTuple | PickleDict | PickleObject;

interface Weight {
  depth: number;
  values: number;
  placed: boolean;
}

/** Depth and size of every container so far. */
export class PickleWeights {
  readonly #of = new WeakMap<Container, Weight>();

  constructor(readonly bad: (code: string, what: string) => Error) {}

  /** Notes that a value comes to lie in a container. */
  place(value: PickleValue, container: Container): void {
    const weight = this.#weigh(container);
    if (weight.placed || value === container)
      throw this.bad('loop', 'a container in it grows after it was put into another one, or lies in itself');
    weight.values++;
    if (!isContainer(value)) return this.#check(weight);
    const inner = this.#weigh(value);
    inner.placed = true;
    weight.values += inner.values;
    weight.depth = Math.max(weight.depth, inner.depth + 1);
    this.#check(weight);
  }

  #check({ values, depth }: Weight): void {
    if (values > MOST_VALUES) throw this.bad('limit', `it comes to more than ${MOST_VALUES} values`);
    if (depth > MOST_DEPTH) throw this.bad('depth', `its containers lie more than ${MOST_DEPTH} deep in one another`);
  }

  #weigh(container: Container): Weight {
    let weight = this.#of.get(container);
    if (!weight) this.#of.set(container, (weight = { depth: 1, values: 1, placed: false }));
    return weight;
  }
}

function isContainer(value: PickleValue): value is Container {
  return (
    value instanceof PickleList ||
    value instanceof PickleTuple ||
    value instanceof PickleDict ||
    value instanceof PickleObject
  );
}
