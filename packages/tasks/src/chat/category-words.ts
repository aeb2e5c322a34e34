// The topics of pocket-chat's world: 25 categories in six super-categories, the names in each, and the words that its topics draw from.

const split = (text: string): readonly string[] => text.trim().split(/\s+/);

/** What the topics of a category are made of. */
export interface CategoryWords {
  readonly superCategory: string;
  /** One token each; also the labels that a diff's topic is asked for. */
  readonly names: readonly string[];
  /** Of this category alone. */
  readonly words: readonly string[];
}

/** Words that the categories of one super-category share. */
export const SHARED_WORDS: Readonly<Record<string, readonly string[]>> = {
  art: split('creative admired original famous expressive patron critic masterpiece'),
  nature: split('wild habitat season creature survival untamed ecosystem native'),
  home: split('household everyday family cosy practical handmade tidy comfort'),
  science: split('theory experiment evidence research precise hypothesis professor laboratory'),
  work: split('labour wage industry skilled busy manager contract customer'),
  leisure: split('fun weekend hobby club relaxing amateur enjoy spectator'),
};

const category = (superCategory: string, names: string, words: string): CategoryWords => ({
  superCategory,
  names: split(names),
  words: split(words),
});

/** By category. */
export const CATEGORY_WORDS: Readonly<Record<string, CategoryWords>> = {
  music: category(
    'art',
    `violin cello flute trumpet piano harp oboe clarinet banjo guitar organ lute tuba bassoon mandolin accordion xylophone viola
     saxophone harmonica bagpipe fiddle trombone ukulele sitar zither piccolo synthesizer tambourine lyre cornet bugle`,
    `melody chord rhythm tempo encore concert orchestra choir verse chorus octave tune note harmony solo pitch refrain bass treble
     duet ballad anthem hymn symphony sonata quartet conductor metronome string reed brass scale`,
  ),
  dance: category(
    'art',
    `waltz tango ballet salsa polka rumba foxtrot samba flamenco jig swing mambo minuet bolero quickstep charleston breakdance hula
     reel twist square ceilidh tarantella gavotte mazurka bhangra limbo disco cancan conga lambada jive`,
    `step spin leap partner ballroom slipper pirouette turn lift twirl hop glide sway stamp bow posture footwork troupe choreographer
     rehearsal lead balance stretch kick bend shuffle skip slide tiptoe pose costume mirror`,
  ),
  painting: category(
    'art',
    `mural fresco portrait landscape sketch watercolor etching collage mosaic cartoon engraving poster miniature icon triptych pastel
     woodcut graffiti silhouette caricature lithograph diorama panorama doodle tapestry vignette stencil seascape nude gouache
     impasto cityscape`,
    `brush canvas easel palette pigment varnish frame shade tint hue gallery studio outline charcoal crayon ink primer glaze
     perspective contrast texture smear drip crimson azure ochre umber scarlet turpentine exhibit sitter model`,
  ),
  theatre: category(
    'art',
    `comedy tragedy musical opera farce puppetry mime pantomime monologue melodrama satire improv burlesque cabaret revue vaudeville
     operetta pageant skit masque sitcom soliloquy drama parody whodunit romance western thriller audition premiere matinee
     ventriloquism`,
    `stage curtain actor actress script director applause spotlight balcony backstage prop wig makeup cue line scene dialogue villain
     hero prompter usher ticket audience playwright intermission understudy ensemble wings trapdoor gesture mask orator`,
  ),
  sea: category(
    'nature',
    `whale dolphin octopus coral lobster seahorse jellyfish squid urchin walrus turtle starfish crab shrimp oyster clam barnacle
     plankton seal manatee narwhal anemone cuttlefish stingray kelp porpoise mussel limpet sponges krill orca nautilus`,
    `wave tide salt foam reef current depth shore shell fin tentacle seaweed lagoon trench surf brine bubble spray sand island harbor
     gill flipper blubber school bay swell drift pearl abyss spout driftwood`,
  ),
  forest: category(
    'nature',
    `oak elm beech fox badger squirrel deer bear wolf hedgehog mushroom fern moss beaver lynx otter rabbit moose spruce hazel alder
     rowan chestnut boar weasel raccoon porcupine chipmunk ivy yew hemlock sycamore`,
    `branch bark root leaf trunk burrow den acorn canopy undergrowth trail thicket glade sap twig log hollow fur antler paw shadow
     timber clearing stump bramble lichen needle cone resin litter prey howl`,
  ),
  birds: category(
    'nature',
    `eagle falcon owl swan heron stork crane pelican puffin penguin raven crow magpie finch swallow starling woodpecker kingfisher
     flamingo peacock ostrich vulture albatross cuckoo pheasant quail wren thrush canary toucan condor osprey`,
    `feather wing beak nest egg perch talon flock migrate song plumage roost chirp soar crest claw hatch fledgling brood flight cage
     aviary preen warble swoop peck dawn tail cliff glider down sky`,
  ),
  weather: category(
    'nature',
    `thunder hurricane tornado blizzard monsoon fog rainbow hail frost drizzle cyclone typhoon breeze heatwave mist sleet lightning
     snowfall gale downpour dew squall sunshine avalanche whirlwind cloudburst smog icicle flood sandstorm dust overcast`,
    `cloud rain umbrella barometer forecast degree puddle chill wind pressure sunbeam flash rumble ice temperature damp shelter
     warning radar gust vapor snowflake siren haze gloom shiver coat boots satellite front drop torrent`,
  ),
  cooking: category(
    'home',
    `soup bread pasta curry pancake stew pizza salad omelette dumpling risotto casserole sandwich pudding pie cake waffle biscuit
     sushi burger lasagna noodle muffin custard chowder paella goulash kebab quiche fondue porridge taco`,
    `oven spoon flour butter pepper pan recipe sauce garlic onion sugar boil bake stir knead chop simmer roast whisk yeast cheese
     spice herb plate fork apron dough broth cream vinegar oil grill`,
  ),
  gardening: category(
    'home',
    `lavender sunflower orchid cactus begonia marigold geranium petunia dahlia magnolia azalea hydrangea jasmine daffodil crocus
     peony iris lilac primrose foxglove snapdragon chrysanthemum bonsai hedge lawn compost topiary greenhouse rosemary thyme basil
     parsley`,
    `soil seed pot trowel bloom prune weed sprout mulch petal stem bud pollen fence trellis watering fertilizer worm bee wheelbarrow
     shears seedling patio bulb graft thorn border scarecrow spade plot blossom nectar`,
  ),
  clothing: category(
    'home',
    `sweater jacket scarf kimono denim velvet silk trousers skirt waistcoat glove hat cap cardigan blouse tuxedo pajamas sandal
     stocking poncho shawl corset hoodie raincoat turban sock belt bonnet kilt leotard overalls veil`,
    `button zipper sleeve collar pocket seam thread fabric stitch hem lace wool cotton linen tailor pattern fashion wardrobe hanger
     iron fold lining cuff embroidery dye waist size fitting label ribbon knit weave`,
  ),
  pottery: category(
    'home',
    `vase jug teapot goblet urn bowl tile plaque figurine saucer pitcher amphora tankard mug platter candlestick flask censer pipkin
     crock basin tureen ramekin chalice decanter beaker tumbler ewer carafe canister mortar pestle`,
    `clay kiln wheel slip handle rim potter fire glazed ceramic porcelain earthenware mold carve polish crack shard bisque coil throw
     trim ash furnace enamel rack firing stoneware terracotta fragile motif pour engobe`,
  ),
  astronomy: category(
    'science',
    `comet nebula pulsar eclipse asteroid galaxy meteor quasar supernova saturn jupiter mars venus mercury neptune uranus pluto moon
     sun constellation zodiac equinox solstice blackhole exoplanet telescope observatory cosmos milkyway starlight spaceship orion`,
    `orbit star planet lens gravity rocket astronaut crater dark gas probe launch corona spectrum magnitude axis rotation dome vacuum
     capsule twinkle solar lunar stellar space signal expanse infinity sunspot halo parsec antimatter`,
  ),
  medicine: category(
    'science',
    `fever asthma fracture surgery vaccine allergy insomnia migraine pneumonia measles arthritis diabetes anemia bronchitis malaria
     influenza tonsillitis burn sprain concussion dentistry radiology cardiology pediatrics hepatitis eczema cataract appendicitis
     ulcer rabies cholera tetanus`,
    `doctor patient pill bandage syringe pulse clinic symptom diagnosis cure dose bone blood lung heart nerve stethoscope ward
     stretcher therapy rest recovery swelling cough rash immune muscle scalpel infection virus syrup ache`,
  ),
  chemistry: category(
    'science',
    `oxygen hydrogen carbon sulfur iodine chlorine helium neon sodium potassium calcium magnesium phosphorus nitrogen ammonia acetone
     ethanol methane benzene glucose caffeine aspirin gunpowder soap plastic rubber bleach nickel cobalt zinc lithium uranium`,
    `acid base molecule atom reaction crystal burner solution catalyst bond electron ion formula dissolve solvent powder fume boiling
     mixture filter titrate residue compound element metal liquid explosive isotope polymer pipette valence beakerful`,
  ),
  geology: category(
    'science',
    `granite marble basalt quartz diamond ruby emerald sapphire amber volcano glacier fossil canyon geyser limestone sandstone slate
     chalk obsidian topaz opal jade garnet earthquake stalactite cave meteorite coal copper gold silver pumice`,
    `rock mineral layer lava magma fault erosion sediment crust mantle vein quarry mine gem pickaxe peak plateau valley ridge stratum
     tremor eruption cavern pebble boulder gravel hardness strata core ore fissure dig`,
  ),
  mathematics: category(
    'science',
    `triangle circle pentagon hexagon sphere cylinder ellipse parabola hyperbola fraction decimal integer logarithm exponent
     polynomial matrix vector tensor derivative integral theorem lemma probability statistics algebra geometry calculus trigonometry
     topology fractal prime factorial`,
    `sum product quotient remainder equation variable coefficient angle radius diameter vertex edge volume proof axiom digit zero
     ratio average slope limit domain subset operator abacus ruler protractor multiply divide subtract plus minus`,
  ),
  farming: category(
    'work',
    `wheat barley corn rice cattle sheep goat pig chicken horse donkey dairy orchard vineyard potato carrot cabbage turnip beehive
     hay soybean oats duck goose llama turkey pumpkin strawberry tobacco cottonfield rye beet`,
    `plough harvest barn fodder stable grain sickle pasture silo scythe manure hoof herd fleece yield irrigation furrow sow reap
     thresh mill trough saddle bale pen farmhand acre crop shepherd yoke milking rooster`,
  ),
  building: category(
    'work',
    `bridge castle tower cathedral skyscraper tunnel dam lighthouse cottage palace temple pyramid stadium chimney windmill barnhouse
     fountain arch staircase bungalow warehouse aqueduct monument fortress igloo cabin mansion pagoda minaret viaduct pier canal`,
    `brick cement scaffold beam roof wall foundation architect blueprint plaster nail concrete girder ladder plank pillar column
     floor ceiling tar hinge level mason welding rivet steel drain insulation cornerstone rafter doorway masonry`,
  ),
  banking: category(
    'work',
    `loan mortgage savings pension insurance tax inflation dividend currency stock budget credit debt auction payroll invoice bitcoin
     cheque audit interest annuity voucher lottery bankruptcy subsidy tariff rent ransom royalty bonus fee donation`,
    `vault cash teller account profit loss ledger deposit withdraw investor broker share percent asset wealth fund fraud merger
     wallet receipt transfer risk growth crisis trader economy accountant capitalist payment coinage safe dollar`,
  ),
  law: category(
    'work',
    `murder theft divorce patent copyright treaty arson bribery perjury custody inheritance libel trespass burglary kidnapping
     smuggling forgery treason eviction adoption extradition bail parole subpoena testament lawsuit piracy blackmail espionage
     vandalism slander homicide`,
    `judge jury court lawyer verdict witness oath appeal sentence prison crime defendant plaintiff clause statute justice guilty
     innocent alibi testimony prosecutor detective gavel cell handcuffs motive suspect warrant sheriff penalty pardon tribunal`,
  ),
  sport: category(
    'leisure',
    `tennis soccer hockey boxing golf rugby cricket fencing archery judo karate swimming marathon gymnastics cycling skiing surfing
     rowing basketball baseball volleyball badminton wrestling polo skating climbing bobsled triathlon javelin squash handball
     snooker`,
    `racket goal referee medal coach team score helmet sprint jersey whistle tackle serve podium trophy training sweat opponent
     stamina injury record relay champion league tournament foul hurdle gym net victory defeat scoreboard`,
  ),
  games: category(
    'leisure',
    `chess poker checkers dominoes bingo monopoly solitaire crossword sudoku darts roulette backgammon mahjong scrabble marbles
     tetris hopscotch charades billiards pinball jigsaw hangman rummy blackjack yahtzee cribbage ludo quiz riddle tag hideout arcade`,
    `dice pawn card board player winner token deck bluff piece gambit luck bet rule puzzle clue guess checkmate joker ace timer
     joystick strategy draw spinner cheat chip opening prize round pieces bonusround`,
  ),
  travel: category(
    'leisure',
    `safari cruise pilgrimage camping backpacking hitchhiking expedition honeymoon sightseeing caravan railway airline ferry hostel
     passport souvenir trek gondola balloon scooter rickshaw motorway airport embassy hotel resort museum oasis desert jungle tundra
     savanna`,
    `suitcase map compass guide luggage visa itinerary departure arrival tent postcard customs platform landmark adventure camera
     traveler hammock altitude route destination mileage journey tour lobby reservation jetlag binoculars phrasebook campfire
     backpack sunscreen`,
  ),
  fishing: category(
    'leisure',
    `carp pike catfish sturgeon mackerel herring haddock halibut sardine anchovy minnow barracuda marlin swordfish flounder piranha
     grouper snapper tench bream roach gudgeon grayling walleye tilapia pollock whiting turbot sole skate monkfish mullet`,
    `hook rod bait lure float pond stream trawler boat anchor oar dock catch angler wader sinker river bank lake ripple cast swivel
     knot patience bite waterproof jetty fisherman hatchery gaff shoal creel`,
  ),
};
