"""Small whole programs that show wsgitornado at work; each of them is tested."""
