// What a section shows: which circuit, and which of its edges or nodes is picked. Everything that draws it listens; the address keeps it.
import type { LiveCircuit, LiveData } from '../live-data.js';
import { edgeParts } from '../number-text.js';

export interface Shown {
  readonly circuit: LiveCircuit;
  /** The name of an edge or a node of the circuit. */
  readonly pick: string | undefined;
}

export interface ShownCircuit {
  readonly now: Shown;
  /** Circuits that are chosen as the shown one is, from small to large. */
  readonly sizes: readonly LiveCircuit[];
  show(change: { readonly circuit?: LiveCircuit; readonly pick?: string | undefined }): void;
  /** Calls the listener at once, and whenever something else is shown. */
  follow(listener: (shown: Shown) => void): void;
}

/** `id` of the section stands in the address before what is shown: `#r1/absolute/64/a0.h1`. */
export function shownCircuit(id: string, { circuits, shown, edges }: LiveData): ShownCircuit | undefined {
  const first = circuits[shown];
  if (!first) return undefined;
  let now: Shown = { circuit: first, pick: undefined };
  const listeners: ((shown: Shown) => void)[] = [];
  const has = ({ edges: indices }: LiveCircuit, pick: string): boolean =>
    indices.some((index) => {
      const name = edges[index]?.[0] ?? '';
      return name === pick || edgeParts(name).slice(0, 2).includes(pick);
    });

  function set({ circuit, pick }: Shown): void {
    now = { circuit, pick: pick !== undefined && has(circuit, pick) ? pick : undefined };
    for (const listener of listeners) listener(now);
  }
  function write(): void {
    const { n, selection } = now.circuit;
    const parts = [id, selection, String(n), ...(now.pick === undefined ? [] : [encodeURIComponent(now.pick)])];
    history.replaceState(null, '', `#${parts.join('/')}`);
  }
  /** Whether the address names something of this section. */
  function read(): boolean {
    const [section, selection, n, pick] = location.hash.slice(1).split('/');
    const circuit = circuits.find((each) => each.selection === selection && String(each.n) === n);
    if (section !== id || !circuit) return false;
    set({ circuit, pick: pick === undefined ? undefined : decoded(pick) });
    return true;
  }

  if (read()) document.getElementById(id)?.scrollIntoView();
  addEventListener('hashchange', read);
  return {
    get now() {
      return now;
    },
    get sizes() {
      return circuits.filter(({ selection }) => selection === now.circuit.selection);
    },
    show(change) {
      set({ ...now, ...change });
      write();
    },
    follow(listener) {
      listeners.push(listener);
      listener(now);
    },
  };
}

/** Addresses are typed by people: one that is no text names nothing. */
function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
