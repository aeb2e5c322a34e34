// What goes when one edge or node is dropped: it, and every edge that then lies on no path from input to logits.
import { edgeParts } from '../number-text.js';

/** Of the given edges, those that are left; as `prune` of the attribution package does it, node by node to a fixpoint. */
export function withoutPart(names: readonly string[], dropped: string): Set<string> {
  let left = names.filter((name) => name !== dropped && !edgeParts(name).slice(0, 2).includes(dropped));
  for (;;) {
    const read = new Set(left.map((name) => edgeParts(name)[0]).concat('logits'));
    const fed = new Set(left.map((name) => edgeParts(name)[1]).concat('input'));
    const kept = left.filter((name) => fed.has(edgeParts(name)[0]) && read.has(edgeParts(name)[1]));
    if (kept.length === left.length) return new Set(left);
    left = kept;
  }
}
