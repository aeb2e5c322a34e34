// Which circuits of a record can be drawn, and which of them a page opens on.
import type { DrawnCircuit } from './circuit-record.js';
import type { CircuitRecord } from './record.js';

/** More edges than this cannot be told apart in a drawing: larger circuits are read in the table. */
export const mostDrawn = 400;

/** Circuits of the record that can be drawn; shown at first is the one that `edges` marks, or the largest below it. */
export function drawable(record: CircuitRecord): { circuits: DrawnCircuit[]; shown: number } {
  const marked = record.edges.flatMap(([, , inGraph], i) => (inGraph ? [i] : []));
  const own: DrawnCircuit = { n: Math.max(1, record.circuit.n), selection: record.circuit.selection, edges: marked };
  const given = record.circuits.filter(({ edges }) => edges.length > 0 && edges.length <= mostDrawn);
  const isOwn = (c: DrawnCircuit): boolean => c.n === own.n && c.selection === own.selection;
  const circuits = given.some(isOwn) || !marked.length || marked.length > mostDrawn ? [...given] : [...given, own];
  circuits.sort((a, b) => a.selection.localeCompare(b.selection) || a.n - b.n);
  const within = circuits.filter((c) => c.selection === own.selection && c.n <= own.n);
  return { circuits, shown: Math.max(0, circuits.indexOf(within.at(-1) ?? own)) };
}
