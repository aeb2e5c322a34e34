// What is shown of a graph stands in the address: `#graph/0.8/0.98/12/3.7.9`, thresholds, the picked node, pinned nodes.
import type { DrawnGraph, GraphReading, GraphView } from '../feature-graph/graph-view.js';

/** Pins that an address carries; more are left to the file. */
const mostPins = 200;

export function writeAddress(id: string, { choice, picked, pinned }: GraphView): void {
  const parts = [id, choice.nodes, choice.edges, picked ?? '', pinned.slice(0, mostPins).join('.')];
  history.replaceState(null, '', `#${parts.join('/')}`);
}

/** The reading that an address asks for; what is no state of this graph changes nothing. */
export function readAddress({ nodes }: DrawnGraph, section: string, known: GraphReading): GraphReading {
  const [id, ...parts] = location.hash.slice(1).split('/');
  if (id !== section || parts.length < 3) return known;
  const [nodeShare, edgeShare] = parts.map(Number);
  const isShare = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 1;
  const isNode = (value: number): boolean => Number.isInteger(value) && nodes[value] !== undefined;
  if (!isShare(nodeShare) || !isShare(edgeShare)) return known;
  const picked = parts[2] === '' ? undefined : Number(parts[2]);
  const pins = (parts[3] ?? '')
    .split('.')
    .filter(Boolean)
    .map(Number)
    .filter((each) => isNode(each));
  return {
    ...known,
    choice: { ...known.choice, nodes: nodeShare, edges: edgeShare },
    picked: picked === undefined || isNode(picked) ? picked : known.picked,
    pinned: [...new Set([...known.pinned, ...pins])],
  };
}
