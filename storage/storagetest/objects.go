package storagetest

import (
	"fmt"
	"math/rand/v2"
)

// Objects returns n synthetic users, 3.3 KB of JSON each on average, as large
// contact centres have them: the same members in each, ids and names of their
// own. The same seed gives the same objects.
func Objects(seed uint64, n int) [][]byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	objects := make([][]byte, n)
	for i := range objects {
		objects[i] = user(rng, i)
	}
	return objects
}

func user(rng *rand.Rand, i int) []byte {
	first, last := pick(rng, firstNames), pick(rng, lastNames)
	b := fmt.Appendf(nil, `{"id":"%s","name":"%s %s","division":{"id":"%s","name":"%s","selfUri":"/api/v2/authorization/divisions/%[4]s"},`,
		objectID(i), first, last, uuid(uint64(i%7)), pick(rng, cities))
	b = fmt.Appendf(b, `"chat":{"jabberId":"%x@example.orgspan.com"},"department":"%s","email":"%s.%s.%d@example.com","state":"active","title":"%s",`,
		rng.Uint64(), pick(rng, departments), first, last, i, pick(rng, titles))
	b = fmt.Appendf(b, `"username":"%s.%s.%d@example.com","version":%d,"acdAutoAnswer":%v,"dateModified":"2026-%02d-%02dT%02d:%02d:%02dZ",`,
		first, last, i, rng.IntN(300), rng.IntN(2) == 0, 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60))
	b = fmt.Appendf(b, `"addresses":[{"address":"+1317%07d","mediaType":"PHONE","type":"WORK","countryCode":"US"}],"skills":[`, rng.IntN(1e7))
	for j := range 4 + rng.IntN(10) {
		b = comma(b, j)
		id := uuid(uint64(1000 + rng.IntN(400)))
		b = fmt.Appendf(b, `{"id":"%s","name":"%s","proficiency":%d.0,"state":"active","skillUri":"/api/v2/routing/skills/%[1]s","selfUri":"/api/v2/users/%s/routingskills/%[1]s"}`,
			id, pick(rng, departments), rng.IntN(6), objectID(i))
	}
	b = append(b, `],"languages":[`...)
	for j := range rng.IntN(4) {
		b = comma(b, j)
		id := uuid(uint64(2000 + rng.IntN(30)))
		b = fmt.Appendf(b, `{"id":"%s","name":"%s","proficiency":%d.0,"state":"active","languageUri":"/api/v2/routing/languages/%[1]s"}`, id, pick(rng, cities), rng.IntN(6))
	}
	b = append(b, `],"groups":[`...)
	for j := range rng.IntN(6) {
		b = comma(b, j)
		b = fmt.Appendf(b, `{"id":"%s","selfUri":"/api/v2/groups/%[1]s"}`, uuid(uint64(3000+rng.IntN(200))))
	}
	return fmt.Appendf(b, `],"selfUri":"/api/v2/users/%s"}`, objectID(i))
}

func comma(b []byte, j int) []byte {
	if j > 0 {
		b = append(b, ',')
	}
	return b
}

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

func objectID(i int) string { return uuid(uint64(i) + 1<<40) }

// uuid returns an id that looks random, always the same for n.
func uuid(n uint64) string {
	a, b := mix(int(n)), mix(int(n)+1<<50)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>50, b&(1<<48-1))
}

// mix is the finalizer of SplitMix64.
func mix(n int) uint64 {
	x := uint64(n) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

var (
	firstNames  = []string{"Ana", "Bela", "Carlos", "Dina", "Emil", "Fatima", "Georg", "Hana", "Ivan", "Jana", "Kofi", "Lena", "Mona", "Nils", "Olga", "Pavel"}
	lastNames   = []string{"Abel", "Brandt", "Costa", "Dupont", "Eriksen", "Fischer", "Garcia", "Horvat", "Ito", "Jansen", "Kowalski", "Lopez", "Moreau", "Novak"}
	departments = []string{"Billing", "Claims", "Collections", "Complaints", "Fraud", "Loyalty", "Onboarding", "Orders", "Retention", "Sales", "Support", "Travel"}
	titles      = []string{"Agent", "Senior Agent", "Team Lead", "Supervisor", "Analyst", "Engineer", "Coach", "Manager"}
	cities      = []string{"Amsterdam", "Berlin", "Dublin", "Indianapolis", "London", "Madrid", "Manila", "Mumbai", "Sydney", "Tokyo", "Toronto"}
)
