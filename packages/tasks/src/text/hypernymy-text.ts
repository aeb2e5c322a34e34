// Hypernymy in English: ' sparrows and other' → birds, corrupted by members of another category, for any tokenizer.
import { isEntityHeldOut, words, type MakeSource } from './source.js';
import { Swaps } from './swaps.js';

/** Members of a category, and the words that name it; what does not inflect, such as rice, stands as it is. */
interface Category {
  readonly answers: readonly string[];
  readonly members: readonly string[];
}

/** 'answers: members', `_` for a space. */
const CATEGORIES: readonly Category[] = `
  birds: sparrows robins hawks parrots pigeons eagles owls crows ducks swans gulls falcons
  fish: salmon trout tuna sharks cod herring carp eels sardines bass
  insects bugs: ants bees wasps beetles flies mosquitoes moths crickets butterflies ladybugs
  trees: pines maples birches willows cedars oaks elms palms poplars
  flowers plants: roses tulips daisies lilies violets poppies orchids irises sunflowers
  fruits fruit: pears peaches plums mangoes lemons apples bananas grapes cherries oranges berries
  vegetables veggies: carrots onions potatoes cabbages beans peas spinach lettuce peppers tomatoes
  grains cereals crops: wheat barley oats rye corn rice millet
  drinks beverages: tea coffee juice milk lemonade soda cocktails smoothies
  tools: hammers wrenches drills shovels rakes saws axes screwdrivers pliers
  weapons arms: swords spears daggers rifles cannons guns knives bombs missiles pistols
  vehicles: trucks buses wagons cars tractors vans motorcycles taxis
  instruments: guitars violins pianos drums flutes trumpets harps cellos
  furniture furnishings: chairs tables sofas desks beds cabinets couches shelves
  clothes clothing garments: shirts skirts jackets coats pants socks dresses sweaters
  metals: iron copper zinc nickel tin aluminum steel lead
  gems gemstones jewels stones: rubies diamonds emeralds sapphires pearls opals
  gases: oxygen nitrogen helium hydrogen methane neon argon
  sports games: tennis soccer hockey baseball golf rugby cricket boxing swimming
  languages: French German Spanish Russian Chinese Arabic Italian Greek Latin Dutch
  religions faiths: Christianity Islam Buddhism Judaism Hinduism Sikhism
  diseases illnesses infections: malaria cholera measles influenza tuberculosis polio smallpox diabetes
  emotions feelings: anger joy fear sadness jealousy grief guilt shame love
  colors colours: red blue green yellow purple pink orange brown
  buildings structures: houses barns churches castles temples hotels factories towers
  relatives family: uncles aunts cousins brothers sisters grandparents nephews
  appliances: ovens refrigerators toasters dishwashers microwaves stoves blenders
  reptiles: snakes lizards turtles crocodiles alligators geckos`
  .trim()
  .split('\n')
  .map((line) => {
    const [answers = '', members = ''] = line.split(':');
    return { answers: words(answers), members: words(members) };
  });

/**
 * Corrupted: a member of another category, of the same split and of equally many tokens. Answers are the words for the two categories that are one
 * token. Held out: a quarter of the members.
 */
export const hypernymySource: MakeSource = (tokens) => {
  const answers = CATEGORIES.map((category) => tokens.single(category.answers).map((word) => ` ${word}`));
  const entities = CATEGORIES.flatMap(({ members }, category) =>
    members.flatMap((word) => {
      const prompt = ` ${word} and other`;
      const length = tokens.of(prompt).length;
      if (length === 0 || (answers[category] ?? []).length === 0) return [];
      return [
        { word, prompt, answer: category, heldOut: isEntityHeldOut('hypernymy', word), likeness: String(length) },
      ];
    }),
  );
  const all = CATEGORIES.reduce((sum, { members }) => sum + members.length, 0);
  const swaps = new Swaps('hypernymy', entities, 'members of categories whose name is one token', all);
  return {
    size: (split) => swaps.size(split),
    draw: (random, split) => {
      const [clean, corrupted] = swaps.pick(random, split);
      return {
        clean: clean.prompt,
        corrupted: corrupted.prompt,
        correct: answers[clean.answer] ?? [],
        incorrect: answers[corrupted.answer] ?? [],
        entities: [clean.word],
        roles: { [clean.word]: 'hyponym' },
        labels: {
          member: clean.word,
          category: CATEGORIES[clean.answer]?.answers[0] ?? '',
          corruptedMember: corrupted.word,
        },
      };
    },
  };
};
