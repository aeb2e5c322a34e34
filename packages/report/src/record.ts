// The record of one result: who computed it, with what, how to compute it again, and what came out. One schema for every kind.
import { circuitFields, optionalCircuitFields } from './circuit-record.js';
import { edgeParts } from './number-text.js';
import { provenanceSchema } from './provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from './record-text.js';
import { object, oneOf, text } from './schema.js';
import type { Infer, Issue, Json } from './schema.js';

/** A result of kind `circuit`. */
const circuitSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    title: text({ longest: 500 }),
    provenance: provenanceSchema,
    ...circuitFields,
  },
  optionalCircuitFields,
);

/**
 * The record of a circuit: how it was scored, how faithful it is at every size, on which prompts.
 * @useDeclaredType
 */
export type CircuitRecord = Infer<typeof circuitSchema>;
/** The record of one circuit, which `checkRecord` and `renderReport` take; comparisons of several have their own. */
export type ResultRecord = CircuitRecord;

/** The JSON Schema of a record, for other tools. */
export const resultJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn result',
  ...circuitSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version` for a version that this
 * code does not know
 */
export function checkRecord(value: unknown): ResultRecord {
  return checkAgainst(circuitSchema, value, inconsistencies);
}

/** What a schema of single values cannot say: references inside the record that must fit together. */
function inconsistencies(result: CircuitRecord): Issue[] {
  const issues: Issue[] = [];
  const { layers, heads, block, edgeCount } = result.graph;
  const seen = new Set<string>();
  if (result.edges.length > edgeCount)
    issues.push({ path: '/edges', given: `${result.edges.length} edges`, allowed: `at most edgeCount = ${edgeCount}` });
  result.edges.forEach(([name], i) => {
    const [from, to] = name.split('->') as [string, string];
    const path = `/edges/${i}/0`;
    if (seen.has(name)) issues.push({ path, given: `${name} for the second time`, allowed: 'each edge once' });
    seen.add(name);
    for (const end of [from, to]) {
      const [layer, head] = (end.match(/\d+/g) ?? []).map(Number);
      if ((layer ?? 0) >= layers || (head ?? 0) >= heads)
        issues.push({ path, given: end, allowed: `${layers} layers of ${heads} heads` });
    }
    if (depth(from, block) >= depth(to, block))
      issues.push({ path, given: name, allowed: 'an edge from an earlier node to a later one' });
  });
  result.circuits.forEach((circuit, c) => {
    const bad = circuit.edges.find((index) => index >= result.edges.length);
    if (bad !== undefined)
      issues.push({
        path: `/circuits/${c}/edges`,
        given: `edge ${bad}`,
        allowed: `indices below ${result.edges.length}`,
      });
  });
  result.stability?.selected.forEach(([index], i) => {
    if (index >= result.edges.length)
      issues.push({
        path: `/stability/selected/${i}/0`,
        given: `edge ${index}`,
        allowed: `indices below ${result.edges.length}`,
      });
  });
  issues.push(...strayDrops(result));
  result.pairs.forEach(({ clean, corrupted }, p) => {
    if (clean.length !== corrupted.length)
      issues.push({
        path: `/pairs/${p}`,
        given: `${clean.length} and ${corrupted.length} tokens`,
        allowed: 'prompts of equal length',
      });
  });
  return issues;
}

/** Drops of what the marked circuit does not have, or that stand twice. */
function strayDrops({ knockOut, edges }: CircuitRecord): Issue[] {
  if (!knockOut) return [];
  const marked = edges.flatMap(([name, , inGraph]) => (inGraph ? [name] : []));
  const nodes = marked.flatMap((name) => edgeParts(name).slice(0, 2));
  const inner = new Set(nodes.filter((node) => node !== 'input' && node !== 'logits'));
  // What is found is taken out, so that a second drop of it is stray as well.
  const stray = (unit: 'edges' | 'nodes', left: Set<string>): Issue[] =>
    knockOut[unit].flatMap(({ name }, i) =>
      left.delete(name)
        ? []
        : [{ path: `/knockOut/${unit}/${i}/name`, given: name, allowed: `${unit} of the marked circuit, each once` }],
    );
  return [...stray('edges', new Set(marked)), ...stray('nodes', inner)];
}

/** Order of computation: input, then per layer the heads and the MLP (side by side in a parallel block), then logits. */
function depth(node: string, block: 'sequential' | 'parallel'): number {
  if (node === 'input') return -1;
  if (node === 'logits') return Infinity;
  const layer = Number(/\d+/.exec(node)?.[0]);
  return 2 * layer + (node.startsWith('m') && block === 'sequential' ? 1 : 0);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline: the same record gives the same bytes anywhere.
 * @throws ReportError as `checkRecord`
 */
export function recordToJson(result: ResultRecord): string {
  return toJson(checkRecord(result));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkRecord`
 */
export function recordFromJson(json: string): ResultRecord {
  return checkRecord(fromJson(json));
}
