package genesys

import "slices"

// secretWords are the last words of names of secrets, without what may stand
// between their parts: apiKey, api_key and API-Key are one word here.
var secretWords = [...]string{
	"accesskey", "apikey", "passphrase", "passwd", "password", "privatekey", "pwd", "secret", "secretkey", "token",
}

// SecretWords returns the words that make a member a secret if its name ends
// with one of them: clientSecret, db_password and X-API-Key are secrets,
// passwordRequirements is not. Letter case, "_", "-", ".", spaces, an "s" and
// digits at the end mean nothing. Such a member is left out of every body if it
// holds a string, and so are the strings below it; where customers chose the
// name, [SecretMark] takes their place.
func SecretWords() []string { return slices.Clone(secretWords[:]) }

// isSecretName reports whether a name ends with a word for secrets.
func isSecretName(name []byte) bool {
	end := len(name)
	for end > 0 && (name[end-1]-'0' <= 9 || isSeparator(name[end-1])) {
		end--
	}
	if end > 0 && name[end-1]|0x20 == 's' {
		end--
	}
	if end < len("pwd") {
		return false
	}
	switch last := name[end-1] | 0x20; name[end-2] | 0x20 { // which nearly no name has
	case 'e':
		return (last == 'y' || last == 't' || last == 'n') && endsInSecret(name[:end])
	case 'r', 'w':
		return last == 'd' && endsInSecret(name[:end])
	case 's':
		return last == 'e' && endsInSecret(name[:end])
	}
	return false
}

func endsInSecret(name []byte) bool {
	for _, word := range secretWords {
		if endsIn(name, word) {
			return true
		}
	}
	return false
}

// endsIn reports whether a name ends with a word, separators inside left out.
func endsIn(name []byte, word string) bool {
	i := len(name) - 1
	for j := len(word) - 1; j >= 0; j-- {
		for i >= 0 && isSeparator(name[i]) && j < len(word)-1 {
			i--
		}
		if i < 0 || name[i]|0x20 != word[j] {
			return false
		}
		i--
	}
	return true
}

func isSeparator(c byte) bool { return c == '_' || c == '-' || c == '.' || c == ' ' }
