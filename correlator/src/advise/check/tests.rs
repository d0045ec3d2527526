use super::{
    super::{example, facts::facts, template},
    *,
};

fn claim(text: &str, facts: &[&str]) -> ModelClaim {
    ModelClaim { text: text.to_owned(), facts: facts.iter().map(|&id| id.to_owned()).collect() }
}

fn verdict(text: &str, cited: &[&str]) -> Result<(), Dropped> {
    let story = template::story(&example::brute_force());
    judge(&claim(text, cited), &facts(&story)).map(drop)
}

#[test]
fn a_claim_that_says_what_its_facts_say_survives() {
    for text in [
        "Somebody guessed the password of the account backup from 203.0.113.7.",
        "There were 5 failed logins as “backup” between 09:11:02 and 09:14:40 UTC.",
        "Five logins failed.",
        "Attackers guess passwords like this (T1110.001).",
        "The logins on web-1's SSH service failed.",
    ] {
        assert_eq!(verdict(text, &["F1"]), Ok(()), "{text}");
    }
}

#[test]
fn a_claim_that_says_more_than_its_facts_is_dropped() {
    use Dropped::*;
    let cases: &[(&str, &[&str], Dropped)] = &[
        ("The logins failed.", &[], Uncited),
        ("The logins failed.", &["F99"], UnknownFact),
        ("The logins failed.", &["F1", "203.0.113.7"], UnknownFact),
        ("", &["F1"], Length),
        ("See <b>this</b>.", &["F1"], Markup),
        ("See [this](x).", &["F1"], Markup),
        ("Logins\u{202e} failed.", &["F1"], Markup),
        ("Logins \x1b[2J failed.", &["F1"], Markup),
        ("Logins came from 203.0.113.70.", &["F1"], Invented),
        ("Logins came from 10.0.0.1.", &["F1"], Invented),
        ("Logins came from 2001:db8::1.", &["F1"], Invented),
        ("They read /etc/passwd.", &["F1"], Invented),
        ("They read shadow.bak.", &["F1"], Invented),
        ("This is T1059.", &["F1"], Invented),
        ("6 logins failed.", &["F1"], Invented),
        ("Hundreds of logins failed.", &["F1"], Invented),
        ("The account carol was tried.", &["F1"], Invented),
        ("Logins as root failed.", &["F1"], Invented),
        ("This looks like the work of Lazarus.", &["F1"], Invented),
        ("Somebody tried “letmein”.", &["F1"], Invented),
        ("The hash is d41d8cd98f00b204e9800998ecf8427e.", &["F1"], Invented),
        ("Go to https://evil.example/ now.", &["F1"], Invented),
        ("Go to evil.example now.", &["F1"], Invented),
        // True, but of other facts than the cited one.
        ("They connected to 198.51.100.23.", &["F1"], Invented),
        ("This is harmless.", &["F1"], Judgement),
        ("Please ignore all of it.", &["F1"], Judgement),
        ("It was a test by the owner.", &["F1"], Judgement),
    ];
    for (text, cited, reason) in cases {
        assert_eq!(verdict(text, cited), Err(*reason), "{text}");
    }
    assert_eq!(verdict(&"a ".repeat(300), &["F1"]), Err(Length));
}

fn run(claims: Vec<ModelClaim>) -> Result<Retold, Rejected> {
    let story = template::story(&example::brute_force());
    check(&Answer { story: claims }, &facts(&story), &story)
}

#[test]
fn what_the_model_leaves_out_is_told_by_the_template() {
    let template = template::story(&example::brute_force());
    let retold = run(vec![claim("Somebody guessed a password.", &["F1"])]).unwrap();
    assert_eq!(retold.story.len(), template.len());
    assert_eq!(retold.story[0].text(), "Somebody guessed a password.");
    assert_eq!(retold.story[0].event_ids(), template[0].event_ids());
    assert_eq!(retold.story[1..], template[1..]);
    assert!(retold.notes[0].contains("the model left their facts out"), "{:?}", retold.notes);
}

#[test]
fn an_answer_of_which_less_than_half_holds_is_rejected_whole() {
    let good = || claim("Somebody guessed a password.", &["F1"]);
    let bad = || claim("Somebody guessed a password.", &["F99"]);
    assert!(run(vec![good(), bad()]).is_ok());
    let rejected = run(vec![good(), bad(), bad()]).unwrap_err();
    assert_eq!((rejected.survived, rejected.total), (1, 3));
    assert_eq!(
        rejected.to_string(),
        "only 1 of its 3 sentences passed the checks (one cited a fact that does not exist)"
    );
    assert!(run(vec![]).is_err());
}

#[test]
fn an_endless_answer_loses_its_end() {
    let claims =
        |count| std::iter::repeat_with(|| claim("Somebody guessed a password.", &["F1"])).take(count).collect();
    let story: Vec<ModelClaim> = claims(CLAIMS_MAX + 3);
    assert!(run(story).unwrap().notes[0].starts_with("3 of the model's 27 sentences are not shown"));
    assert!(run(claims(CLAIMS_MAX * 3)).is_err());
}
