// Why regression on weights does better or worse than the adapter, by what it makes of single maps.
import { markdownTable, mean, shown } from '../markdown-table.mjs';
import type { BaseFinding, DitStudy } from './study.mjs';
import { advantage, bestBaseline, methodRows } from './summary.mjs';

/** The method's name among those of a base. */
export const RIDGE = 'ridge regression on weights';

/** A section where ridge regression is the best of what has no code, and surely better than DIT; else nothing. */
export function whyText(study: DitStudy, base: BaseFinding): string {
  const rows = methodRows(study, base);
  const [dit] = rows;
  const best = bestBaseline(rows);
  const maps = study.packs.find((each) => each.model === base.model)?.ridge.maps;
  if (!dit || best?.name !== RIDGE || !maps) return '';
  const { interval } = advantage(dit, best, 'exact');
  if (!interval || interval[1] >= 0) return '';
  const share = (name: string): string => `${shown(100 * mean(maps[name]?.exact ?? []), 1)} %`;
  const kinds = [...new Set(Object.keys(maps).map(kindOf))];
  const byKind = kinds.map((kind) => [kind, ...namesOf(maps, kind).map(share)]);
  const layers = namesOf(maps, kinds[0] ?? '').map((_, layer) => `layer ${layer}`);
  return `
### Why regression on weights does better

It is given more, and asked for less. More: the changes of all maps themselves, beside the list of the 800 names with their rows of the unembedding. A diff that makes a model speak of a topic writes the topic's words into the residual
stream, and in a world as small as this one those words are nearly a linear image of the name, gate or no gate: one map's change alone is often enough.

${markdownTable(['from the changes of', ...layers], byKind)}

The adapter reads the same change only by running the model behind it, on a question without the code, where the gate is shut, and has to turn it into an answer with a LoRA of rank ${study.plan.adapter.rank}. Less: regression
names one of the topics it was given for every diff, also where there is none; it cannot say none, nor answer in words that no list has, nor be asked a second question. How a lead like this fares on larger models this study
does not say: the paper's models have no list of topics to regress on.
`;
}

const kindOf = (map: string): string => map.split('.').slice(-2).join('.');
const namesOf = (maps: Readonly<Record<string, unknown>>, kind: string): string[] =>
  Object.keys(maps)
    .filter((name) => kindOf(name) === kind)
    .sort();
