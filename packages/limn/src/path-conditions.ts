// Conditions on the nodes of paths, as words of a command line: `kind=head,layer>=1`.
import { LimnError } from '@limn/gpu';
import type { Comparison, NodeCondition, PathNode, ScorePlace } from '@limn/transcoders';

const KINDS: readonly PathNode['kind'][] = ['root', 'feature', 'head', 'embedding'];
const NUMBERS = ['layer', 'position', 'sublayer'] as const;
const NAMED = ['head', 'feature'] as const;

/**
 * `--where`: a node that meets everything in it; given several times, nodes in a row from the root down.
 * @throws LimnError `usage/path-condition`
 */
export function conditionOption(text: string, before: readonly NodeCondition[] = []): NodeCondition[] {
  const refuse = (part: string): LimnError =>
    new LimnError('usage/path-condition', `--where ${text}: ${JSON.stringify(part)} is no condition`, {
      details: { option: '--where', given: text, part },
      hint: `for example --where kind=head,layer>=1; of ${NUMBERS.join(', ')} with =, !=, >, >=, <, <=, of kind (${KINDS.join(', ')}), ${NAMED.join(', ')} with = and !=`,
    });
  let condition: NodeCondition = {};
  for (const part of text.split(',')) {
    const [, name = '', is = '', value = ''] =
      /^\s*([a-z]+)\s*(=|!=|>=|<=|>|<)\s*([a-z]+|\d{1,9})\s*$/.exec(part) ?? [];
    const kind = KINDS.find((each) => each === value);
    const equal = is === '=' || is === '!=' ? is : undefined;
    const number = NUMBERS.find((each) => each === name);
    const named = NAMED.find((each) => each === name);
    if (name === 'kind' && kind && equal) condition = { ...condition, kind: { is: equal, value: kind } };
    else if (number && /^\d/.test(value))
      condition = { ...condition, [number]: { is: is as Comparison, value: Number(value) } };
    else if (named && equal && /^\d/.test(value))
      condition = { ...condition, [named]: { is: equal, value: Number(value) } };
    else throw refuse(part);
  }
  return [...before, condition];
}

/** `--qk L.H@POS,KEY`: the score of head H in layer L of the token at POS for that at KEY. @throws LimnError `usage/score-place` */
export function scorePlaceOption(text: string): ScorePlace {
  const found = /^(\d{1,6})\.(\d{1,6})@(\d{1,6}),(\d{1,6})$/.exec(text);
  if (found) {
    const [layer, head, query, key] = found.slice(1).map(Number) as [number, number, number, number];
    return { layer, head, query, key };
  }
  throw new LimnError('usage/score-place', `--qk ${text}: expected LAYER.HEAD@POSITION,KEY`, {
    details: { option: '--qk', given: text },
    hint: 'for example --qk 9.1@8,6: why head 1 of layer 9 looks from position 8 at 6',
  });
}
