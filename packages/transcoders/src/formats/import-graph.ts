// Reads somebody else's attribution graph: which feature each node is, however it is numbered, and where two nodes have one id.
import { LimnError } from '@limn/gpu';
import { cantor, isOldNumber, unpaired } from './cantor.js';
import { checkGraphJson, type GraphJson, type GraphJsonLink, type GraphJsonNode } from './graph-json.js';

/** Two nodes of one id: an error at (layer, position), and the feature {layer} of layer 0 at that position. */
export interface GraphCollision {
  readonly id: string;
  /** The id that the error has in what is given back. */
  readonly renamed: string;
  /** Links from that id: nobody can tell which of the two they are from. */
  readonly links: number;
}

/** How features are numbered: by Cantor's pairing, f + 10^k·layer (the first versions of circuit-tracer), by the feature alone, or otherwise. */
export type FeatureNumbering = 'cantor' | 'circuit-tracer-old' | 'plain' | 'unknown';

/** A graph that was read. */
export interface ImportedGraph {
  /** With ids of which each is another. */
  readonly graph: GraphJson;
  readonly collisions: readonly GraphCollision[];
  /** Links whose source is one of two nodes; they are not among the graph's. Errors have no incoming links, so targets are never in doubt. */
  readonly ambiguous: readonly GraphJsonLink[];
  readonly numbering: FeatureNumbering;
  /** Layer and feature of each node that is one, by its id. */
  readonly features: ReadonlyMap<string, { readonly layer: number; readonly feature: number }>;
}

/** Characters of a graph of some tens of thousands of nodes with all of their links. */
const MOST_CHARACTERS = 2 ** 28;
const FEATURE = 'cross layer transcoder';
const ERROR = 'mlp reconstruction error';

/**
 * Reads the text of a graph file. The known collision, circuit-tracer's id of an error with that of a feature of layer 0, is reported and
 * taken apart; any other id that is there twice is refused.
 * @throws LimnError `data/graph-json` for what is no JSON, too long or of another form, for ids that are there twice, and for links to
 * nodes that are not there
 */
export function importGraph(text: string): ImportedGraph {
  const given = checkGraphJson(parsed(text));
  const byId = new Map<string, GraphJsonNode[]>();
  for (const node of given.nodes) {
    const same = byId.get(node.node_id);
    if (same) same.push(node);
    else byId.set(node.node_id, [node]);
  }
  const collided = new Map<string, string>();
  for (const [id, nodes] of byId) if (nodes.length > 1) collided.set(id, renamedError(id, nodes, byId));
  const dangling = given.links.find(({ source, target }) => !byId.has(source) || !byId.has(target));
  if (dangling)
    throw refuse(`a link is from ${shown(dangling.source)} to ${shown(dangling.target)}, one of which is no node`);
  const links = given.links.filter(({ source }) => !collided.has(source));
  const ambiguous = given.links.filter(({ source }) => collided.has(source));
  const nodes = given.nodes.map((node) => {
    const renamed = node.feature_type === ERROR ? collided.get(node.node_id) : undefined;
    return renamed === undefined ? node : { ...node, node_id: renamed };
  });
  const counts = new Map<string, number>();
  for (const { source } of ambiguous) counts.set(source, (counts.get(source) ?? 0) + 1);
  const collisions = Array.from(collided, ([id, renamed]) => ({ id, renamed, links: counts.get(id) ?? 0 }));
  return { graph: { ...given, nodes, links }, collisions, ambiguous, ...numbered(nodes) };
}

function parsed(text: string): unknown {
  if (text.length > MOST_CHARACTERS)
    throw refuse(`it has ${text.length} characters; at most ${MOST_CHARACTERS} are read`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse('it is not JSON', cause);
  }
}

/** The id that an error gets whose own is that of a feature, too. */
function renamedError(id: string, nodes: readonly GraphJsonNode[], byId: ReadonlyMap<string, unknown>): string {
  const error = nodes.find(({ feature_type }) => feature_type === ERROR);
  const feature = nodes.find(({ feature_type }) => feature_type === FEATURE);
  if (!error || !feature || nodes.length > 2 || !/^0_\d+_\d+$/.test(id))
    throw refuse(`${nodes.length} of its nodes have the id ${shown(id)}`);
  const renamed = id.replace(/^0/, 'error');
  if (byId.has(renamed)) throw refuse(`${shown(renamed)} and ${shown(id)} are the ids of one error`);
  return renamed;
}

/** Which numbering all of the features agree with, and what they are. */
function numbered(nodes: readonly GraphJsonNode[]): Pick<ImportedGraph, 'numbering' | 'features'> {
  const features = new Map<string, { readonly layer: number; readonly feature: number }>();
  let candidates: FeatureNumbering[] = ['cantor', 'circuit-tracer-old', 'plain'];
  for (const { node_id, feature_type, feature: number } of nodes) {
    if (feature_type !== FEATURE || number === null || number < 0) continue;
    const match = /^(\d{1,7})_(\d{1,8})_\d+$/.exec(node_id);
    if (!match) {
      candidates = candidates.filter((each) => each === 'cantor');
      if (candidates.length > 0 && Number.isSafeInteger(number)) features.set(node_id, unpaired(number));
      continue;
    }
    const [layer, feature] = [Number(match[1]), Number(match[2])];
    features.set(node_id, { layer, feature });
    const fits = {
      cantor: cantor(layer, feature) === number,
      'circuit-tracer-old': isOldNumber(number, layer, feature),
      plain: feature === number,
    };
    candidates = candidates.filter((each) => each !== 'unknown' && fits[each]);
  }
  return { numbering: features.size === 0 ? 'unknown' : (candidates[0] ?? 'unknown'), features };
}

const shown = (id: string): string => JSON.stringify(id.slice(0, 100));

function refuse(what: string, cause?: unknown): LimnError {
  return new LimnError('data/graph-json', `The attribution graph cannot be read: ${what}.`, {
    details: { what },
    hint: 'Export it again with a current version of the tool that made it.',
    ...(cause === undefined ? {} : { cause }),
  });
}
