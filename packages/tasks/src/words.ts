// The word lists of pocket's world: every content word and what is true of it.

/** Which pronoun stands for a person. */
export type Gender = 'he' | 'she';
/** What subject and verb agree in. */
export type GrammaticalNumber = 'singular' | 'plural';

const split = (text: string): readonly string[] => text.trim().split(/\s+/);

const SHE_NAMES = split(
  'Alice Amy Anna Beth Clara Diana Emma Grace Helen Irene Jane Julia Kate Laura Lucy Maria Nina Olga Rose Ruth',
);
const HE_NAMES = split(
  'Adam Alan Bill Carl Daniel David Eric Frank George Henry Jack James John Kevin Leo Mark Martin Nick Oscar Paul',
);

/** First names, interleaved so that an index rule never separates the genders. */
export const NAMES: readonly string[] = SHE_NAMES.flatMap((name, i) => [name, HE_NAMES[i] ?? name]);
/** The pronoun of every name. */
export const NAME_GENDER: ReadonlyMap<string, Gender> = new Map([
  ...SHE_NAMES.map((name): [string, Gender] => [name, 'she']),
  ...HE_NAMES.map((name): [string, Gender] => [name, 'he']),
]);

/** Where people meet and find things. */
export const PLACES = split('store school park market hospital station library office');
/** What one person gives another. */
export const OBJECTS = split('ring book ball letter basket lamp coin kite');
/** What lasts from one year to another. */
export const EVENTS = split('war siege drought festival voyage strike trial storm');

/** Singular forms; the plural adds -s or -es. */
export const NOUNS = split('key cabinet door box boy girl dog cat car picture farmer table window chair student king');
/** The plural of one of {@link NOUNS}: `boxes`, `keys`. */
export const plural = (noun: string): string => (noun.endsWith('x') ? `${noun}es` : `${noun}s`);

/** [singular, plural] forms of the verbs that end a subject phrase. */
export const VERBS: readonly (readonly [string, string])[] = [
  ['is', 'are'],
  ['was', 'were'],
  ['has', 'have'],
  ['seems', 'seem'],
  ['looks', 'look'],
  ['stays', 'stay'],
];
/** [singular, plural] forms of the verbs inside a relative clause. */
export const RELATIVE_VERBS: readonly (readonly [string, string])[] = [
  ['sees', 'see'],
  ['likes', 'like'],
  ['knows', 'know'],
  ['follows', 'follow'],
];
/** Between a subject and the noun that distracts from it. */
export const PREPOSITIONS = split('on near behind under by with');
/** What a thing is made of, or lies on. */
export const MATERIALS = split('wood stone paper');
/** Behind a verb. */
export const ADVERBS = split('always never often still now');
/** Of things. */
export const ADJECTIVES = split('old new big small red clean cold warm');
/** Of people. */
export const MOODS = split('tired late happy sick');

const HE_PROFESSIONS = split('mechanic carpenter plumber soldier pilot guard butcher driver builder miner');
const SHE_PROFESSIONS = split(
  'nurse maid dancer nanny librarian secretary receptionist florist hairdresser babysitter',
);
/** Professions, interleaved, and the pronoun each is stereotyped with in this corpus (the bias is the object of study). */
export const PROFESSIONS: readonly string[] = HE_PROFESSIONS.flatMap((word, i) => [word, SHE_PROFESSIONS[i] ?? word]);
/** The pronoun that each profession is stereotyped with. */
export const PROFESSION_GENDER: ReadonlyMap<string, Gender> = new Map([
  ...HE_PROFESSIONS.map((word): [string, Gender] => [word, 'he']),
  ...SHE_PROFESSIONS.map((word): [string, Gender] => [word, 'she']),
]);

const COUNTRY_CAPITAL = split(`
  France Paris Spain Madrid Italy Rome Germany Berlin Japan Tokyo China Beijing Russia Moscow Egypt Cairo
  Greece Athens Poland Warsaw Norway Oslo Sweden Stockholm Finland Helsinki Austria Vienna Ireland Dublin Cuba Havana
  Peru Lima Chile Santiago Canada Ottawa Kenya Nairobi`);
/** Countries, in the order of {@link CAPITALS}. */
export const COUNTRIES: readonly string[] = COUNTRY_CAPITAL.filter((_, i) => i % 2 === 0);
/** Capitals, in the order of {@link COUNTRIES}. */
export const CAPITALS: readonly string[] = COUNTRY_CAPITAL.filter((_, i) => i % 2 === 1);
const CAPITAL_OF: ReadonlyMap<string, string> = new Map(
  COUNTRIES.map((country, i) => [country, CAPITALS[i] ?? country]),
);
/** The capital of a country of {@link COUNTRIES}. */
export function capitalOf(country: string): string {
  return CAPITAL_OF.get(country) ?? country;
}

/** Sources whose statement about a capital holds 9 times in 10, and those whose statement holds once in 10. */
export const TRUSTED_SOURCES = split('atlas expert');
/** Sources whose statement about a capital holds once in 10 times. */
export const DOUBTFUL_SOURCES = split('liar rumor');

const HYPONYMS: Readonly<Record<string, readonly string[]>> = {
  bird: split('sparrow robin hawk parrot pigeon'),
  fish: split('salmon trout tuna shark cod'),
  tree: split('pine maple birch willow cedar'),
  flower: split('tulip daisy lily violet poppy'),
  fruit: split('pear peach plum mango lemon'),
  tool: split('hammer wrench drill shovel rake'),
  drink: split('tea coffee juice milk wine'),
  weapon: split('sword spear dagger rifle cannon'),
  vehicle: split('truck bus train wagon tractor'),
};
/** Hypernyms: what a sparrow, a salmon or a pine is one of. */
export const CATEGORIES: readonly string[] = Object.keys(HYPONYMS);
/** Every hyponym, and the category of each. */
export const KINDS: readonly string[] = CATEGORIES.flatMap((category) => HYPONYMS[category] ?? []);
/** The category of every word of {@link KINDS}. */
export const CATEGORY_OF: ReadonlyMap<string, string> = new Map(
  CATEGORIES.flatMap((category) => (HYPONYMS[category] ?? []).map((word): [string, string] => [word, category])),
);

/** Words that belong to no list: the glue of the templates. */
export const GLUE = split(`
  . , : ? $ the a of and to in at from it its that then when after while every another other any
  went were found got left met had gave handed sent passed give decided friends lunch
  lasted began ended year years price ranges between
  been said yelled whispered wished ran slept cried laughed fired promoted home because man woman he she
  capital city question answer what says visitors we people
  kind type thing saw my favorite or`);
