// docs/features.md from a study: two tasks in features, circuits stated and tried, and what holds, decided by the numbers.
import { agreementTable } from './agreement-table.mjs';
import { caseClaims, sharedClaims } from './claims.mjs';
import { ACTIVATION_OF } from './described.mjs';
import { CASE_NAMES, drawingOf } from './drawings.mjs';
import { markdownTable, percent, shown } from '../markdown-table.mjs';
import { commandsOf } from './reader-commands.mjs';
import { circuitSentence, headName, share, spread } from './words.mjs';
import { RANKINGS, type CaseFinding, type FeatureStudy, type TrialFinding } from './study.mjs';

/** Sizes that have columns in the table of a trial; the drawing has all. */
const COLUMNS = [1, 4, 16, 64];
/** Features listed. */
const LISTED = 16;

/** What arXiv 2406.11944 finds of the same task, §5.2. */
const PAPER =
  ' In GPT-2 small the paper finds features of MLP 0 at the year, head 9.1 (and 7.10, 8.11) that brings them to the last token, and features of MLP 10 there.';

/** The whole page. */
export function featuresMarkdown(study: FeatureStudy): string {
  const { settings, model, transcoders, adapter, limn, cases } = study;
  const minutes = shown(cases.reduce((sum, { seconds }) => sum + seconds, 0) / 60, 0);
  return `# Features on pocket

Made by \`npm run features\`: two tasks read through transcoders as in _Transcoders Find Interpretable LLM Feature Circuits_ (arXiv 2406.11944), on
pocket (${model.weightsSha256.slice(0, 12)}) with the set that comes with it (${transcoders.words}; ${transcoders.sha256.slice(0, 12)}); ${adapter}; limn ${limn}; ${minutes} minutes.

**How circuits are found.** ${settings.find} pairs that pocket has seen in training, clean and corrupted. A graph of each prompt (patterns and normalisations
held) explains the mean logit of the answers nearest to where right turns to wrong, less that of as many wrong ones. Followed down the edges it says what
a unit of each feature does to that difference by way of everything; times the change of the feature between the two prompts, averaged over the two
graphs and over pairs, it ranks features (\`graph\` below). The circuit is the first of them, as many as it takes to lose 80 % of what all features lose, and the heads
that lose at least 5 % each. **How they are tried.** On ${settings.trial} held-out pairs, with nothing held: *lost* is the share of the metric (p of right less p of wrong
answers, as far as clean and corrupted prompts differ) that is gone when the clean prompt runs with these features set to what they are in the corrupted
one; *kept* the share that is left when they alone, of everything that MLPs write, are the clean prompt's. What the transcoder misses of an MLP stays as it is in
the first, and is the corrupted prompt's in the second.

The same by hand, with pages: \`limn features graph\` (the graph, \`--check\` negates its strongest features), \`limn features paths\`, \`limn features dashboards\`; commands below.

${cases.map((found) => caseSection(found, study)).join('\n\n')}

## What holds on both

${sharedClaims(study)}
`;
}

function caseSection(found: CaseFinding, study: FeatureStudy): string {
  const { id, example, drawn, graphs, features, heads, trials, years, looking } = found;
  return `## ${CASE_NAMES[id]}

\`${example.text}\` against \`${example.corrupted}\`.

${modelTable(found)}

### The graph of a prompt

![Attribution graph, prompt from left to right, layers upwards](${drawingOf(id, 'graph')})

Pruned for the drawing to ${percent(drawn.threshold, 0)} of the influence. Means over the ${graphs.prompts} clean prompts (worst residual of any sum of edges ${graphs.worstResidual.toExponential(0)}):

${graphTable(found)}

Paths that bring most to the difference in that prompt, as the paper follows them (largest first, three steps):

${markdownTable(
  ['path', 'attribution'],
  found.paths.map(({ path, attribution }) => [`\`${path}\``, shown(attribution, 2)]),
)}

\`\`\`sh
${commandsOf(found).join('\n')}
\`\`\`

### Features and heads

${circuitSentence(found)}${id === 'greater-than' ? PAPER : ''}

${featureTable(found)}
${features.length > LISTED ? `\nThe first ${LISTED} of ${features.length}. ` : '\n'}*Effect*: on the mean logit difference, as the feature becomes what it is in the corrupted prompt. *Plain attribution*: what the clean graphs say it brings, without
comparing. *${ACTIVATION_OF[id].heading}*: mean activation at the place of its effect. *Fires on*: its strongest tokens in the corpus.
${years ? yearText(found) : ''}
${markdownTable(
  [
    'head',
    'lost alone',
    `looks at the ${id === 'sva' ? 'subject' : 'start'}`,
    ...(id === 'sva' ? ['at an attractor'] : []),
    '‖W_V·W_O·f‖',
  ],
  heads.map(({ layer, head, lost, attention, attentionToDistractor, carries }) => [
    headName({ layer, head }),
    share(lost),
    shown(attention, 2),
    ...(id === 'sva' ? [attentionToDistractor === null ? '–' : shown(attentionToDistractor, 2)] : []),
    carries === null ? '–' : shown(carries, 2),
  ]),
)}

*Lost alone*: when the head's output is set to the corrupted prompt's, everywhere. The last column: the mean over the circuit's features of its last layer of what the head can carry of what they read, weights alone.
${looking ? lookingText(looking) : ''}
### Tried by intervening

${circuitTable(found)}

![Lost and kept against size by ranking](${drawingOf(id, 'trial')})

${trials.map((trial) => rankingTable(trial)).join('\n\n')}

### What graphs predict

The ${found.points.filter(([group]) => group === 0).length} most influential features of ${study.settings.checked} prompts, each negated, beside random ones that fire about as strongly at the same places. Direct effects with everything else held are what
the edges say (${found.frozen.toExponential(0)} off at most); what follows is the effect by way of everything, predicted on the graph, against the model with attention patterns held, and as it is.

![Predicted against measured](${drawingOf(id, 'check')})

${agreementTable(found)}

*Size*: mean |measured change|, of pre-activations by the number of layers between, of the answer's summed logit difference under "answer".

### What holds

${caseClaims(found)}`;
}

function modelTable({ model }: CaseFinding): string {
  const { metric, replaced, zeroed } = model;
  return markdownTable(
    ['held-out pairs', 'p(right) − p(wrong)'],
    [
      ['as it is', shown(metric.clean, 3)],
      ['corrupted prompt', shown(metric.corrupted, 3)],
      ['all MLPs replaced by their transcoders', shown(replaced.all, 3)],
      ...replaced.layers.map((value, layer) => [`MLP ${layer} replaced`, shown(value, 3)]),
      ...zeroed.map((value, layer) => [`MLP ${layer} at zero`, shown(value, 3)]),
    ],
  );
}

function graphTable({ graphs: { whole, pruned } }: CaseFinding): string {
  const row = (
    name: string,
    of: {
      readonly features: number;
      readonly edges: number;
      readonly replacement: number;
      readonly completeness: number;
    },
    errors: string,
    circuit: string,
  ): string[] => [
    name,
    shown(of.features, 0),
    errors,
    shown(of.edges, 0),
    shown(of.replacement, 2),
    shown(of.completeness, 2),
    circuit,
  ];
  return markdownTable(
    ['influence kept', 'features', 'errors', 'edges', 'replacement', 'completeness', 'circuit kept'],
    [
      row('all', whole, 'all', '100 %'),
      ...pruned.map((each) => row(percent(each.threshold, 0), each, shown(each.errors, 1), percent(each.circuit, 0))),
    ],
  );
}

function featureTable({ features, id }: CaseFinding): string {
  // The start of a text is no word, and its sign would end a cell.
  const words = (list: readonly string[]): string =>
    list.map((word) => (word.includes('|') ? '(start)' : `\`${word.trim()}\``)).join(' ');
  return markdownTable(
    ['feature', 'where', 'effect', 'plain attribution', ACTIVATION_OF[id].heading, 'fires on', 'raises', 'lowers'],
    features
      .slice(0, LISTED)
      .map(({ layer, feature, effect, attribution, roles, activation, firesOn, raises, lowers }) => [
        `tc${layer}[${feature}]`,
        roles.map((each) => `${each.role} ${percent(each.share, 0)}`).join(', '),
        shown(effect, 2),
        shown(attribution, 2),
        activation.map((value) => shown(value, 1)).join(' → '),
        words(firesOn),
        words(raises),
        words(lowers),
      ]),
    2,
  );
}

function yearText({ id, years }: CaseFinding): string {
  const { features = [], heads = [] } = years ?? {};
  const known = features.flatMap(({ correlation }) => (correlation === null ? [] : [correlation]));
  return `
![Features by year](${drawingOf(id, 'years')})

One prompt with every start from 02 to 98; features of the last token first, then those of the start. What weights alone say of the former: by way of heads ${heads.map(headName).join(', ')}, through
the features of layer 0 that each reads most there, to the embeddings of the years; of the latter: their embeddings. Pearson's r with the activation, which
no prompt was needed for but for the heads' mean attention: ${known.map((r) => shown(r, 2)).join(', ')}.

${yearTable(features)}
`;
}

/** Years listed of those that a feature raises or lowers most. */
const YEARS = 5;

function yearTable(features: NonNullable<CaseFinding['years']>['features']): string {
  const two = (year: number): string => String(year).padStart(2, '0');
  return markdownTable(
    ['feature', 'fires after', 'most after', 'raises most', 'lowers most'],
    features.map(({ layer, feature, role, activation, writes }) => {
      const most = Math.max(...activation);
      // Starts begin at 02.
      const strong = activation.flatMap((value, i) => (value >= most / 2 ? [i + 2] : []));
      const order = writes.map((value, year) => ({ value, year })).sort((a, b) => b.value - a.value);
      const listed = (some: typeof order): string => some.map(({ year }) => two(year)).join(' ');
      const read = role === 'last';
      return [
        `tc${layer}[${feature}] at the ${read ? 'last token' : role}`,
        strong.length === 0 ? '–' : `${two(Math.min(...strong))} to ${two(Math.max(...strong))}`,
        two(activation.indexOf(most) + 2),
        read ? listed(order.slice(0, YEARS)) : '–',
        read ? listed(order.slice(-YEARS).reverse()) : '–',
      ];
    }),
  );
}

function lookingText({
  layer,
  head,
  prompts,
  score,
  terms,
  features,
  attention,
}: NonNullable<CaseFinding['looking']>): string {
  return `
Why head ${headName({ layer, head })} looks at the subject: its score there is ${shown(score.source, 1)}, at the first attractor ${shown(score.distractor, 1)} (${prompts} prompts). The difference by what the key is made of, exact sums: ${terms
    .filter(({ value }) => Math.abs(value) >= 0.05)
    .map(({ kind, value }) => `${kind} ${shown(value, 2)}`)
    .join(', ')}. The features of the largest parts: ${features
    .map((each) => `tc${each.layer}[${each.feature}] ${shown(each.value, 2)}`)
    .join(
      ', ',
    )}. Its attention to the subject is ${shown(attention.alone, 2)} in these prompts and ${shown(attention.behindAnother, 2)} where another document stands in front.
`;
}

function circuitTable({ trials, likeness }: CaseFinding): string {
  const rows = trials.flatMap(({ name, circuit, allFeatures, metric }) => [
    [`**${name}** (metric ${shown(metric.clean, 2)}, other prompt ${shown(metric.corrupted, 2)})`, '', ''],
    ["the circuit's features", share(circuit.lost), share(circuit.kept)],
    ['as many random ones, as changing', spread(circuit.random.lost), '–'],
    ['as many random ones, as active', spread(circuit.asActive), '–'],
    ["the circuit's heads alone", share(circuit.headsLost), '–'],
    ['features and heads', share(circuit.lostWithHeads), share(circuit.keptWithHeads)],
    ['random ones, as changing, with the heads', '–', spread(circuit.random.keptWithHeads)],
    ['all features', share(allFeatures.lost), share(allFeatures.kept)],
  ]);
  return `${markdownTable(['set', 'lost', 'kept'], rows)}

${trials.map(({ name, about }) => `*${name}*: ${about}.`).join(' ')} Heads are all the clean prompt's under *kept* unless heads are named: then all others are the
corrupted prompt's. *As changing*: drawn among the eight features of the layer that change most alike between the prompts (‖Δa·d‖; median ${shown(likeness.changing, 2)} of the circuit's);
*as active*: by mean activation (${shown(likeness.active, 2)}), wherever they fire, most of it where both prompts are the same.`;
}

function rankingTable({ name, curves }: TrialFinding): string {
  const rows = RANKINGS.map((ranking) => {
    const found = curves[ranking] ?? [];
    return [
      ranking,
      ...(['lost', 'kept'] as const).flatMap((what) =>
        COLUMNS.map((n) => {
          const values = found.find((each) => each.n === n)?.[what] ?? [];
          return values.length === 0 ? '–' : spread(values);
        }),
      ),
    ];
  });
  return `${name}, by ranking and number of units:

${markdownTable(['ranking', ...COLUMNS.map((n) => `lost, ${n}`), ...COLUMNS.map((n) => `kept, ${n}`)], rows)}`;
}
