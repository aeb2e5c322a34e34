// Paths by what is on them: conditions on nodes, and where on a path nodes must meet them in a row.
import type { ComputationalPath, PathNode } from './path-node.js';

/** How two numbers compare. */
export type Comparison = '=' | '!=' | '>' | '>=' | '<' | '<=';

/** A condition on a number. */
export interface NumberCondition {
  readonly is: Comparison;
  readonly value: number;
}

/** A condition on one node: everything that is given must hold. The embedding's layer is 0; a root has the layer that it reads. */
export interface NodeCondition {
  readonly layer?: NumberCondition;
  readonly position?: NumberCondition;
  /** In the order of computation: embedding 0, attention of layer l 2·l + 1, its MLP 2·l + 2; a root comes behind what it sees. */
  readonly sublayer?: NumberCondition;
  readonly kind?: { readonly is: '=' | '!='; readonly value: PathNode['kind'] };
  /** Does not hold of what is no head. */
  readonly head?: { readonly is: '=' | '!='; readonly value: number };
  /** Does not hold of what is no feature. */
  readonly feature?: { readonly is: '=' | '!='; readonly value: number };
}

/** Where on a path: anywhere in a row, nowhere, or at its end. The end is what lies deepest. */
export type PathMatch = 'infix' | 'not-infix' | 'suffix';

/** Whether a node meets a condition. */
export function meets(node: PathNode, condition: NodeCondition): boolean {
  const { layer, position, sublayer, kind, head, feature } = condition;
  const layerOf = node.kind === 'root' ? node.place.layer : node.kind === 'embedding' ? 0 : node.layer;
  return (
    (!layer || compare(layerOf, layer.is, layer.value)) &&
    (!position || compare(node.position, position.is, position.value)) &&
    (!sublayer || compare(sublayerOf(node), sublayer.is, sublayer.value)) &&
    (!kind || (node.kind === kind.value) === (kind.is === '=')) &&
    (!head || (node.kind === 'head' && compare(node.head, head.is, head.value))) &&
    (!feature || (node.kind === 'feature' && compare(node.feature, feature.is, feature.value)))
  );
}

/** The paths on which nodes in a row meet the conditions, in their order from the root down. */
export function filterPaths(
  paths: readonly ComputationalPath[],
  conditions: readonly NodeCondition[],
  match: PathMatch = 'infix',
): ComputationalPath[] {
  return paths.filter(({ steps }) => {
    const at = (start: number): boolean =>
      start >= 0 &&
      conditions.every((condition, i) => {
        const step = steps[start + i];
        return step !== undefined && meets(step.node, condition);
      });
    if (match === 'suffix') return at(steps.length - conditions.length);
    const somewhere = steps.some((_, start) => at(start));
    return match === 'infix' ? somewhere : !somewhere;
  });
}

function sublayerOf(node: PathNode): number {
  switch (node.kind) {
    case 'embedding':
      return 0;
    case 'head':
      return 2 * node.layer + 1;
    case 'feature':
      return 2 * node.layer + 2;
    case 'root':
      return 2 * node.place.layer + { pre: 1, mid: 2, post: 3 }[node.place.at];
  }
}

function compare(a: number, is: Comparison, b: number): boolean {
  switch (is) {
    case '=':
      return a === b;
    case '!=':
      return a !== b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
  }
}
