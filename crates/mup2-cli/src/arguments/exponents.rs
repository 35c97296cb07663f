//! `--exponent NAME=VALUES`, which several commands take.

use mup2_scaling::error::Error;
use mup2_scaling::{CustomExponents, Role, RoleExponents};

/// Roles in the order in which exponents are given.
const ROLES: [Role; 4] = [Role::Input, Role::Hidden, Role::Output, Role::Fixed];

/// Parses `--exponent b=0,0.5,1` and its kin.
pub fn parse_exponents(assignments: &[String]) -> Result<CustomExponents, Error> {
    let mut exponents = CustomExponents::default();
    for assignment in assignments {
        let wrong = |problem: &str| {
            Error::invalid(
                format!("--exponent {assignment}"),
                problem,
                "b, c, d-layer, e or a = INPUT,HIDDEN,OUTPUT[,FIXED], or d=NUMBER",
            )
        };
        let (name, values) = assignment
            .split_once('=')
            .ok_or_else(|| wrong("has no `=`"))?;
        let values = values
            .split(',')
            .map(|value| value.trim().parse::<f64>())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| wrong("holds something that is not a number"))?;
        if name == "d" {
            let [value] = values[..] else {
                return Err(wrong("needs one number"));
            };
            exponents.d = Some(value);
            continue;
        }
        let roles = ROLES.len();
        if !(roles - 1..=roles).contains(&values.len()) {
            return Err(wrong("needs three or four numbers"));
        }
        let fixed = values.get(3).copied().unwrap_or(0.0);
        let roles = Some(RoleExponents::new(values[0], values[1], values[2], fixed));
        match name {
            "a" => exponents.a = roles,
            "b" => exponents.b = roles,
            "c" => exponents.c = roles,
            "d-layer" => exponents.d_layer = roles,
            "e" => exponents.e = roles,
            _ => return Err(wrong("names no exponent")),
        }
    }
    Ok(exponents)
}
